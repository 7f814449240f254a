# expect: CH0209 line 13
import chainctl as chains


class Dep(chains.ChainletBase):
    def __init__(self) -> None:
        self._answer = 1

    def run_remote(self) -> int:
        return self._answer


DEP = Dep()
