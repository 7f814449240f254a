# expect: CH0204 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, three=chains.depends(3)):
        self._three = three

    def run_remote(self) -> int:
        return 1
