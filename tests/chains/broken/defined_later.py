# expect: CH0207 line 7
import chainctl as chains


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def __init__(self, later=chains.depends(Later)):
        self._later = later

    def run_remote(self) -> int:
        return 1


class Later(chains.ChainletBase):
    def run_remote(self) -> int:
        return 2
