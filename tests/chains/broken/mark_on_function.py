# expect: CH0110 line 6
import chainctl as chains


@chains.mark_entrypoint
def run(name: str) -> str:
    return name


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
