"""Three hops, each of which may be tried three times."""

import chainctl as chains


class Fourth(chains.ChainletBase):
    async def run_remote(self, n: int) -> int:
        return n + 1


class Third(chains.ChainletBase):
    def __init__(self, inner: Fourth = chains.depends(Fourth, retries=3)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await self._inner.run_remote(n)


class Second(chains.ChainletBase):
    def __init__(self, inner: Third = chains.depends(Third, retries=3)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await self._inner.run_remote(n)


@chains.mark_entrypoint
class First(chains.ChainletBase):
    def __init__(self, inner: Second = chains.depends(Second, retries=3)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await self._inner.run_remote(n)
