from pathlib import Path

import chainctl as chains

HERE = Path(__file__).parent
PROMPT = (HERE / "data" / "prompt.txt").read_text()
NAMES = (HERE / "data/names.csv").read_text()


class A(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return PROMPT.format(name=name)
