# expect: CH0107 line 1
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


class B(chains.ChainletBase):
    def run_remote(self) -> int:
        return 2
