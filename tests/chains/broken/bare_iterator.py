# expect: CH0412 line 9
import chainctl as chains


from typing import AsyncIterator


class A(chains.ChainletBase):
    async def run_remote(self) -> AsyncIterator:
        yield "a"
