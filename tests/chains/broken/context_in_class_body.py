# expect: CH0208 line 6
import chainctl as chains


class A(chains.ChainletBase):
    context = chains.depends_context()

    def run_remote(self) -> int:
        return 1
