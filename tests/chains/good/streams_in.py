from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Union

import pydantic

import chainctl as chains


class Start(pydantic.BaseModel):
    name: str


class Both(chains.ChainletBase):
    async def run_remote(self, items: AsyncIterator[Union[Start, bytes]], size: int = 3) -> AsyncIterator[Start]:
        async for item in items:
            if isinstance(item, Start):
                yield item


@chains.mark_entrypoint
class Take(chains.ChainletBase):
    def __init__(self, both: Both = chains.depends(Both)) -> None:
        self._both = both

    async def run_remote(self, numbers: AsyncIterable[list[int]]) -> int:
        return sum([sum(n) async for n in numbers])
