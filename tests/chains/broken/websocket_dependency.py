# expect: CH0210 line 12
import chainctl as chains


class Echo(chains.ChainletBase):
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        await websocket.close()


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, echo=chains.depends(Echo)) -> None:
        self._echo = echo

    def run_remote(self) -> int:
        return 1
