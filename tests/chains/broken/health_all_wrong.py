# expect: CH0702 line 7
# expect: CH0704 line 7
import chainctl as chains


class A(chains.ChainletBase):
    def is_healthy(here, deep):
        return True

    def run_remote(self) -> int:
        return 1
