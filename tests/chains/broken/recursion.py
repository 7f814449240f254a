# expect: CH0103 line 6
import chainctl as chains


def deeper() -> None:
    deeper()


deeper()


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
