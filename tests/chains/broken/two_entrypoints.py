# expect: CH0108 line 12
import chainctl as chains


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint("second")
class B(chains.ChainletBase):
    def run_remote(self) -> int:
        return 2
