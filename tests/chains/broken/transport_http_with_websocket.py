# expect: CH0511 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(options=chains.ChainletOptions(transport=chains.HTTPOptions()))

    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        await websocket.close()
