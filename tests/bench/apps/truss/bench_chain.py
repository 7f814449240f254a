"""The workloads as Truss chainlets."""

import asyncio

import pydantic
import truss_chains as chains
from truss_chains import pydantic_numpy


# By default a Truss service takes one call at a time; ours and the others take many.
MANY = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=64))


class Block(pydantic.BaseModel):
    array: pydantic_numpy.NumpyArrayField


class Inner(chains.ChainletBase):
    remote_config = MANY

    async def run_remote(self, n: int) -> int:
        return n + 1


class Hop(chains.ChainletBase):
    remote_config = MANY

    def __init__(self, inner: Inner = chains.depends(Inner)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await self._inner.run_remote(n)


class Fan(chains.ChainletBase):
    remote_config = MANY

    def __init__(self, inner: Inner = chains.depends(Inner)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return sum(await asyncio.gather(*(self._inner.run_remote(n + i) for i in range(16))))


class ArrayInner(chains.ChainletBase):
    remote_config = MANY

    async def run_remote(self, block: Block) -> Block:
        return block


class Array(chains.ChainletBase):
    remote_config = MANY

    def __init__(self, inner: ArrayInner = chains.depends(ArrayInner, use_binary=True)) -> None:
        self._inner = inner

    async def run_remote(self, block: Block) -> Block:
        return await self._inner.run_remote(block)
