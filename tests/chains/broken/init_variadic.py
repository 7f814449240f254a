# expect: CH0307 line 7
# expect: CH0307 line 7
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, *args, **kwargs):
        pass

    def run_remote(self) -> int:
        return 1
