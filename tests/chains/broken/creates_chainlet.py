# expect: CH0209 line 14
# expect: CH0209 line 17
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, dep=chains.depends(Dep)):
        self._own = Dep()

    def run_remote(self) -> int:
        return Dep().run_remote()
