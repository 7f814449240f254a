# expect: CH0406 line 8
from collections.abc import AsyncIterator

import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, files: AsyncIterator[type(open)]) -> int:
        return sum([1 async for _ in files])
