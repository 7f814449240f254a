# expect: CH0701 line 6
import chainctl as chains


class A(chains.ChainletBase):
    is_healthy = True

    def run_remote(self) -> int:
        return 1
