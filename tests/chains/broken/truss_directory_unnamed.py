# expect: CH1202 line 6
# expect: CH1202 line 11
import truss_chains as chains


class Unnamed(chains.TrussChainlet):
    pass


class Number(chains.TrussChainlet):
    truss_dir = 3


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, first=chains.depends(Unnamed), second=chains.depends(Number)) -> None:
        self._both = first, second

    async def run_remote(self) -> str:
        return str(self._both)
