# expect: CH0701 line 7
import chainctl as chains


class A(chains.ChainletBase):
    @staticmethod
    def is_healthy() -> bool:
        return True

    def run_remote(self) -> int:
        return 1
