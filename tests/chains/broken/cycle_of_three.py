# expect: CH0201 line 22
import chainctl as chains


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, b=chains.depends("B")):
        self._b = b

    def run_remote(self) -> int:
        return 1


class B(chains.ChainletBase):
    def __init__(self, c=chains.depends("C")):
        self._c = c

    def run_remote(self) -> int:
        return 2


class C(chains.ChainletBase):
    def __init__(self, a=chains.depends("A")):
        self._a = a

    def run_remote(self) -> int:
        return 3
