# expect: CH0102 line 5
import chainctl as chains


NAMES = [1,

class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
