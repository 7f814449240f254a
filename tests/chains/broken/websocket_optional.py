# expect: CH0406 line 8
from typing import Optional

import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, websocket: Optional[chains.WebSocketProtocol]) -> None:
        assert websocket
