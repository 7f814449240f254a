# expect: CH1202 line 7
import truss_chains as chains
from truss_chains.remote_chainlet.truss_chainlet import TrussHandle


class Speech(chains.TrussChainlet):
    truss_dir = "no-such-directory"


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, speech: TrussHandle = chains.depends(Speech)) -> None:
        self._speech = speech

    async def run_remote(self, text: str) -> str:
        return self._speech.http_call_args().url
