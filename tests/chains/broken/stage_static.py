# expect: CH1101 line 8
# expect: CH1101 line 11
import chainctl as chains


class A(chains.ChainletBase):
    @staticmethod
    def preprocess(text: str) -> str:
        return text

    def postprocess(this, text: str) -> str:
        return text

    def run_remote(self, text: str) -> str:
        return text
