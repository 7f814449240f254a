# expect: CH0702 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def is_healthy() -> bool:
        return True

    def run_remote(self) -> int:
        return 1
