# expect: CH0424 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, name: str) -> chains.WebSocketProtocol:
        raise RuntimeError(name)
