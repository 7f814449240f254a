# expect: CH0410 line 9
import chainctl as chains


from collections.abc import AsyncIterator


class A(chains.ChainletBase):
    async def run_remote(self) -> AsyncIterator[str]:
        return self._items()

    async def _items(self) -> AsyncIterator[str]:
        yield "a"
