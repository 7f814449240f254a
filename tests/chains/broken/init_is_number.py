# expect: CH0301 line 6
import chainctl as chains


class A(chains.ChainletBase):
    __init__ = 3

    def run_remote(self) -> int:
        return 1
