# expect: CH1104 line 10
# expect: CH1104 line 13
import chainctl as chains


class A(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text

    def run_remote(self, text, size):
        return text * size

    def postprocess(self) -> str:
        return ""
