# expect: CH0704 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def is_healthy(self):
        return True

    def run_remote(self) -> int:
        return 1
