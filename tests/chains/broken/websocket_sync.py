# expect: CH0421 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        websocket.close()
