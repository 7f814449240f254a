# expect: CH0206 line 5 warning
import chainctl as chains


class Lonely(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def run_remote(self) -> int:
        return 3
