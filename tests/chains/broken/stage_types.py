# expect: CH1105 line 10
# expect: CH1105 line 13
import chainctl as chains


class A(chains.ChainletBase):
    def preprocess(self, text: str) -> list[int]:
        return [len(text)]

    def run_remote(self, sizes: list[str]) -> int | None:
        return len(sizes)

    def postprocess(self, size: int) -> str:
        return str(size)
