"""An array there and back, over one, two or three hops: each chainlet passes on what it was given."""

import pydantic

import chainctl as chains
from chainctl.pydantic_numpy import NumpyArrayField


class Block(pydantic.BaseModel):
    array: NumpyArrayField


class Last(chains.ChainletBase):
    async def run_remote(self, block: Block) -> Block:
        return block


class Third(chains.ChainletBase):
    def __init__(self, inner: Last = chains.depends(Last, use_binary=True)) -> None:
        self._inner = inner

    async def run_remote(self, block: Block) -> Block:
        return await self._inner.run_remote(block)


class Second(chains.ChainletBase):
    def __init__(self, inner: Third = chains.depends(Third, use_binary=True)) -> None:
        self._inner = inner

    async def run_remote(self, block: Block) -> Block:
        return await self._inner.run_remote(block)


@chains.mark_entrypoint
class First(chains.ChainletBase):
    def __init__(self, inner: Second = chains.depends(Second, use_binary=True)) -> None:
        self._inner = inner

    async def run_remote(self, block: Block) -> Block:
        return await self._inner.run_remote(block)
