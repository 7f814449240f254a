# expect: CH0411 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> str:
        yield "a"
