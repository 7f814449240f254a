# expect: CH1106 line 7
# expect: CH1106 line 11
import chainctl as chains


class A(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text

    @chains.batched(max_size=2, max_latency=0.1)
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        await websocket.close()
