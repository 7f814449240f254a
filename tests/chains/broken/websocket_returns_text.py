# expect: CH0423 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> str:
        return await websocket.receive_text()
