# expect: CH0307 line 12
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, dep=chains.depends(Dep), /):
        self._dep = dep

    def run_remote(self) -> int:
        return 1
