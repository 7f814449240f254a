# expect: CH1107 line 10
import chainctl as chains


class A(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text

    def run_remote(self, text: str) -> str:
        return self.preprocess(text)
