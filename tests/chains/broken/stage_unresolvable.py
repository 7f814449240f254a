# expect: CH0407 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def postprocess(self, text: str) -> "Unknown":
        return text

    def run_remote(self, text: str) -> str:
        return text
