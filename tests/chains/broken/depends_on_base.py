# expect: CH0204 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, base=chains.depends(chains.ChainletBase)):
        self._base = base

    def run_remote(self) -> int:
        return 1
