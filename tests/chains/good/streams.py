from collections.abc import AsyncIterator
from typing import AsyncGenerator

import chainctl as chains


class Bytes(chains.ChainletBase):
    async def run_remote(self, size: int) -> AsyncGenerator[bytes, None]:
        for _ in range(size):
            yield b"x"


@chains.mark_entrypoint("streaming")
class Text(chains.ChainletBase):
    def __init__(self, source=chains.depends(Bytes, retries=3, timeout_sec=10)) -> None:
        self._source = source

    async def run_remote(self, size: int = 3) -> AsyncIterator[str]:
        async for chunk in self._source.run_remote(size):
            yield chunk.decode()
