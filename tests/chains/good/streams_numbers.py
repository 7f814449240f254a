import chainctl as chains


from collections.abc import AsyncIterator


class A(chains.ChainletBase):
    async def run_remote(self) -> AsyncIterator[int]:
        yield 1
