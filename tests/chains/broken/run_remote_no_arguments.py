# expect: CH0403 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote() -> int:
        return 1
