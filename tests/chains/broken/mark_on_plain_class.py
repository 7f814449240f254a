# expect: CH0110 line 6
import chainctl as chains


@chains.mark_entrypoint
class Plain:
    def run_remote(self) -> int:
        return 1


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
