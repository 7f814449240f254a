# expect: CH0406 line 12
from collections.abc import AsyncIterator

import chainctl as chains


class Plain:
    size = 1


class A(chains.ChainletBase):
    async def run_remote(self) -> AsyncIterator[Plain]:
        yield Plain()
