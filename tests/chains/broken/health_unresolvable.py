# expect: CH0407 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def is_healthy(self) -> "boolean":
        return True

    def run_remote(self) -> int:
        return 1
