"""Fan-out: the entrypoint calls the inner chainlet sixteen times at once."""

import asyncio

import chainctl as chains


class Inner(chains.ChainletBase):
    async def run_remote(self, n: int) -> int:
        return n + 1


@chains.mark_entrypoint
class Entry(chains.ChainletBase):
    def __init__(self, inner: Inner = chains.depends(Inner)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return sum(await asyncio.gather(*(self._inner.run_remote(n + i) for i in range(16))))
