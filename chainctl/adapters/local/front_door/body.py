"""Chunks as they arrive in, the same bytes at the pace of their reader out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class BodyLost(ConnectionError):
    """A body ended before its end: the sender died, or what it sent is not HTTP."""


class Flow(Protocol):
    """Counts bytes between arrival and use."""

    def took(self, size: int) -> None: ...

    def gave(self, size: int) -> None: ...


class Body:
    """The body of one message, or the bytes of an upgraded connection."""

    def __init__(self, flow: Flow) -> None:
        self.is_complete = False
        self.trailers: list[tuple[bytes, bytes]] = []
        self._flow = flow
        self._chunks: deque[bytes] = deque()
        self._lost: BodyLost | None = None
        self._arrival: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        return not self.is_complete and self._lost is None

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._flow.took(len(data))
        self._wake()

    def finish(self) -> None:
        self.is_complete = True
        self._wake()

    def fail(self, reason: str) -> None:
        if self.is_open:
            self._lost = BodyLost(reason)
            self._wake()

    async def read(self) -> bytes:
        """Return all that waits, b"" at the end. Raises BodyLost after the last good byte."""
        while not self._chunks:
            if self.is_complete:
                return b""
            if self._lost is not None:
                raise self._lost
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self.take()

    def take(self) -> bytes:
        """Return all that waits right now, b"" for nothing."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._flow.gave(len(data))
        return data

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
