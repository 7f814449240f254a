# expect: CH0305 line 7
# expect: CH0305 line 7
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, size: int = 3, *, scale: float = 1.0):
        self._size = size

    def run_remote(self) -> int:
        return self._size
