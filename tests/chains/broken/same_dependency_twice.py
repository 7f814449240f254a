# expect: CH0203 line 15
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(
        self,
        one=chains.depends(Dep),
        two=chains.depends("Dep", retries=2),
    ):
        self._dep = one

    def run_remote(self) -> int:
        return 1
