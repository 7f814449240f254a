# expect: CH0202 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, a=chains.depends(A)):
        self._a = a

    def run_remote(self) -> int:
        return 1
