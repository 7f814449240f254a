# expect: CH0105 line 0
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
