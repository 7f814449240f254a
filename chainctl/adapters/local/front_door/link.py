"""A transport in, a connection with backpressure in both directions out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from typing import cast

HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Link(asyncio.Protocol):
    """One connection. What is read but not yet used counts against HIGH_WATER, then reading rests."""

    def __init__(self) -> None:
        self.is_lost = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._unused = 0
        self._is_resting = False
        self._room: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionResetError("not connected")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.error = exc
        self.resume_writing()

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def write(self, parts: Iterable[bytes]) -> None:
        """Queue bytes. Raises ConnectionResetError when the other side is gone."""
        if self.is_lost:
            raise ConnectionResetError("the connection is closed")
        self.transport.write(b"".join(parts))

    async def drain(self) -> None:
        """Wait until the other side has taken enough of what was written."""
        if self._room is not None:
            await asyncio.shield(self._room)
        if self.is_lost:
            raise ConnectionResetError("the connection is closed")

    def took(self, size: int) -> None:
        """Note bytes that arrived; rest when too many wait to be used."""
        self._unused += size
        if self._unused > HIGH_WATER and not self._is_resting and not self.is_lost:
            self._is_resting = True
            self.transport.pause_reading()

    def gave(self, size: int) -> None:
        """Note bytes that were used; read on when few enough wait."""
        self._unused -= size
        if self._is_resting and self._unused <= LOW_WATER and not self.is_lost:
            self._is_resting = False
            self.transport.resume_reading()

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._transport is not None and not self.is_lost:
            self._transport.close()

    def abort(self) -> None:
        """Close at once and drop what is queued."""
        if self._transport is not None and not self.is_lost:
            self._transport.abort()

    def reset(self) -> None:
        """Close at once such that the other side sees an error, even where a body ends by closing."""
        if self._transport is None or self.is_lost:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
