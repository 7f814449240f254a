# expect: CH0302 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, context: chains.DeploymentContext):
        self._context = context

    def run_remote(self) -> int:
        return 1
