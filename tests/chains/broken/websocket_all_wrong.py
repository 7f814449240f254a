# expect: CH0420 line 8
# expect: CH0422 line 8
# expect: CH0423 line 8
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, websocket: chains.WebSocketProtocol, name):
        yield name
