# expect: CH0208 line 12
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class A(chains.ChainletBase):
    dep = chains.depends(Dep)

    def run_remote(self) -> int:
        return 1
