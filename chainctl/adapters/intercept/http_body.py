"""A head of HTTP/1.1 and where its body comes from in; the body piece by piece, as it was sent, out.

It runs in the stand-in of a chain as well, so it needs the standard library only, and Python 3.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

HEAD_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_PIECE = 64 * 1024


class Source(Protocol):
    """Where bytes come from."""

    async def read(self, most: int) -> bytes: ...

    async def read_until(self, separator: bytes) -> bytes: ...


def headers_in(head: bytes) -> dict[bytes, bytes]:
    """Return the headers of a head by their names in lower case."""
    lines = (line.partition(b":") for line in head.split(_LINE_END)[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


class BodyReader:
    """A body that is still arriving. A reading that is cancelled loses nothing."""

    def __init__(
        self, source: Source, *, length: int = 0, is_chunked: bool = False, is_open: bool = False
    ) -> None:
        self._source = source
        self._left = length
        self._is_chunked = is_chunked
        self._is_open = is_open
        self._is_trailing = False
        self.is_done = not (length or is_chunked or is_open)

    @property
    def ends_by_closing(self) -> bool:
        return self._is_open

    @classmethod
    def of_request(cls, source: Source, headers: Mapping[bytes, bytes]) -> BodyReader:
        """Raises ValueError for a length that is none."""
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            return cls(source, is_chunked=True)
        return cls(source, length=int(headers.get(b"content-length", b"0")))

    @classmethod
    def of_answer(
        cls, source: Source, status: int, headers: Mapping[bytes, bytes], method: bytes
    ) -> BodyReader:
        """Raises ValueError for a length that is none."""
        if method == b"HEAD" or status in (204, 304):
            return cls(source)
        if b"transfer-encoding" in headers or b"content-length" in headers:
            return cls.of_request(source, headers)
        return cls(source, is_open=True)

    async def next(self) -> bytes:
        """Return the next piece, none at the end. Raises ConnectionResetError when it ends too early."""
        if self.is_done:
            return b""
        if self._is_open:
            data = await self._source.read(_PIECE)
            self.is_done = not data
            return data
        if self._left:
            return await self._counted()
        return await self._line()

    async def _counted(self) -> bytes:
        data = await self._source.read(min(self._left, _PIECE))
        if not data:
            raise ConnectionResetError("the body ended too early")
        self._left -= len(data)
        self.is_done = not self._left and not self._is_chunked
        return data

    async def _line(self) -> bytes:
        line = await self._source.read_until(_LINE_END)
        if self._is_trailing:
            self.is_done = line == _LINE_END
            return line
        size = int(line.split(b";")[0], 16)
        self._left = size + len(_LINE_END) if size else 0
        self._is_trailing = not size
        return line
