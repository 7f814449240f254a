# expect: CH0207 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, dep=chains.depends("Latre")):
        self._dep = dep

    def run_remote(self) -> int:
        return 1
