# expect: CH0401 line 5
import chainctl as chains


class A(chains.ChainletBase):
    def run(self) -> int:
        return 1
