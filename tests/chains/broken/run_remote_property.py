# expect: CH0402 line 7
import chainctl as chains


class A(chains.ChainletBase):
    @property
    def run_remote(self) -> str:
        return ""
