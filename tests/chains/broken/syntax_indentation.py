# expect: CH0102 line 7
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> str:
    return 1
