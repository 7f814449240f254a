# expect: CH0306 line 17
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


class Other(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, dep: Other = chains.depends(Dep)):
        self._dep = dep

    def run_remote(self) -> int:
        return 1
