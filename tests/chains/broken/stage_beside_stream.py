# expect: CH1103 line 11
from collections.abc import Iterator

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, text: str) -> Iterator[str]:
        yield text

    def postprocess(self, text: str) -> str:
        return text
