# expect: CH0204 line 11
import chainctl as chains


class Plain:
    def run_remote(self) -> int:
        return 1


class A(chains.ChainletBase):
    def __init__(self, plain=chains.depends(Plain)):
        self._plain = plain

    def run_remote(self) -> int:
        return 1
