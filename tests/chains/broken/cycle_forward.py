# expect: CH0201 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, b=chains.depends(B)):
        self._b = b

    def run_remote(self) -> int:
        return 1


class B(chains.ChainletBase):
    def __init__(self, a=chains.depends(A)):
        self._a = a

    def run_remote(self) -> int:
        return 2
