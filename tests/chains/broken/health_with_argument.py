# expect: CH0703 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def is_healthy(self, deep: bool = False) -> bool:
        return True

    def run_remote(self) -> int:
        return 1
