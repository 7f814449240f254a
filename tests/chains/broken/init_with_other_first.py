# expect: CH0301 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(this) -> None:
        pass

    def run_remote(self) -> int:
        return 1
