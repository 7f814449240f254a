# expect: CH0303 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def __init__(self, context: dict = chains.depends_context()):
        self._context = context

    def run_remote(self) -> int:
        return 1
