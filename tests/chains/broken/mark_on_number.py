# expect: CH0110 line 5
import chainctl as chains


LIMIT = chains.mark_entrypoint(3)


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
