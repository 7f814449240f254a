# expect: CH0302 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, ctx: chains.DeploymentContext = chains.depends_context()):
        self._context = ctx

    def run_remote(self) -> int:
        return 1
