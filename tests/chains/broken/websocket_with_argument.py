# expect: CH0420 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, name: str, websocket: chains.WebSocketProtocol) -> None:
        await websocket.send_text(name)
