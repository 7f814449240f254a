"""Bytes of one HTTP/1.1 connection in, whole messages out: large bodies straight into one buffer.

The least that Python can do: both sides of the floor are built on it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

Buffer = bytes | memoryview
DIRECT_BYTES = 64 * 1024
JOINED_BYTES = 64 * 1024
_SCRATCH = memoryview(bytearray(256 * 1024))  # what is in it is used up before the loop reads again


class Receiver(asyncio.BufferedProtocol):
    """Parses heads with httptools; a body above DIRECT_BYTES is received in place."""

    parser_type: Any = None

    def __init__(self) -> None:
        self.transport: Any = None
        self.parser: Any = None
        self.path = b""
        self._begin()

    def _begin(self) -> None:
        self._length = 0
        self._small: list[bytes] = []
        self._size = 0
        self._direct: memoryview | None = None
        self._filled = 0

    def received(self, body: Buffer) -> None:
        """Take a whole message."""
        raise AssertionError("subclasses take messages")

    def allocate(self, length: int) -> memoryview:
        """Return the buffer that a large body goes into."""
        return np.empty(length, np.uint8).data

    def send(self, head: bytes, parts: tuple[Buffer, ...]) -> None:
        """Write a message: joined when small, as a scatter list when large."""
        if sum(map(len, parts)) < JOINED_BYTES:
            self.transport.write(b"".join((head, *parts)))
        else:
            self.transport.writelines((head, *parts))

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH if self._direct is None else self._direct[self._filled :]

    def buffer_updated(self, count: int) -> None:
        if self._direct is not None:
            self._filled += count
            self._take_if_whole(self._direct)
            return
        if self.parser is None:
            self.parser = self.parser_type(self)
        self.parser.feed_data(_SCRATCH[:count])
        if self._length - self._size > DIRECT_BYTES:
            self._go_direct()

    def _go_direct(self) -> None:
        self._direct = self.allocate(self._length)
        for chunk in self._small:
            self._direct[self._filled : self._filled + len(chunk)] = chunk
            self._filled += len(chunk)
        self.parser = None

    def _take_if_whole(self, body: memoryview) -> None:
        if self._filled == self._length:
            self._begin()
            self.received(body)

    # --- what the parser calls ---

    def on_url(self, url: bytes) -> None:
        self.path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 14 and name.lower() == b"content-length":
            self._length = int(value)

    def on_body(self, body: bytes) -> None:
        self._small.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        small = self._small
        self._begin()
        self.received(small[0] if len(small) == 1 else b"".join(small))
