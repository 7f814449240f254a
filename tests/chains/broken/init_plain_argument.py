# expect: CH0305 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, size: int):
        self._size = size

    def run_remote(self) -> int:
        return self._size
