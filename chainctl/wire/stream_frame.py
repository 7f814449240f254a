"""Items of a stream, its end or its error in; length-prefixed frames out, and back, however they are cut.

A frame is: kind (1 byte), three zero bytes, length of the payload (4 bytes, little-endian), payload.
A stream without END or ERROR was cut off.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import Union

_HEAD = struct.Struct("<B3xI")
MOST_FRAME_BYTES = 1 << 30
Buffer = Union[bytes, bytearray, memoryview]


class Kind(enum.IntEnum):
    """What a frame holds."""

    ITEM = 1  # as JSON
    TEXT = 2  # UTF-8
    BYTES = 3
    FRAMED = 4  # as a frame with buffers
    END = 5
    ERROR = 6  # the JSON body of an error answer
    ARGUMENTS = 7  # as JSON; first in a request
    FRAMED_ARGUMENTS = 8


class StreamGarbage(ValueError):
    """Bytes that are no frames of a stream."""


def frame_head(kind: Kind, length: int) -> bytes:
    """Return what goes before a payload of `length` bytes."""
    return _HEAD.pack(kind, length)


def whole_frame(kind: Kind, payload: Buffer = b"") -> bytes:
    """Return a frame in one piece."""
    return b"".join([_HEAD.pack(kind, len(payload)), payload])


class FrameReader:
    """Takes bytes as they come and gives whole frames. `limit` bounds a payload, in bytes."""

    def __init__(self, limit: int = MOST_FRAME_BYTES) -> None:
        self._limit = limit
        self._held: list[Buffer] = []
        self._size = 0
        self._wanted = _HEAD.size
        self.is_over = False

    @property
    def is_clean(self) -> bool:
        """Whether the stream stands between two frames."""
        return self._size == 0

    def feed(self, data: Buffer) -> Iterator[tuple[Kind, bytes]]:
        """Yield the frames that are complete now. Raises StreamGarbage."""
        self._held.append(data)
        self._size += len(data)
        while self._size >= self._wanted:
            whole = memoryview(b"".join(self._held))
            start = 0
            while len(whole) - start >= _HEAD.size:
                kind, length = self._head(whole, start)
                end = start + _HEAD.size + length
                if end > len(whole):
                    self._wanted = _HEAD.size + length
                    break
                self.is_over = kind in (Kind.END, Kind.ERROR)
                yield kind, bytes(whole[start + _HEAD.size : end])
                start, self._wanted = end, _HEAD.size
            self._held = [whole[start:]]
            self._size = len(whole) - start
            if start == 0 or self._size < self._wanted:
                return

    def _head(self, whole: memoryview, start: int) -> tuple[Kind, int]:
        if self.is_over:
            raise StreamGarbage("there are bytes after the end of the stream")
        number, length = _HEAD.unpack_from(whole, start)
        if (
            not Kind.ITEM <= number <= Kind.FRAMED_ARGUMENTS
            or bytes(whole[start + 1 : start + 4]) != b"\0\0\0"
        ):
            raise StreamGarbage("these bytes are no frame of a stream")
        if length > self._limit:
            raise StreamGarbage(f"a frame of {length} bytes is larger than the limit of {self._limit}")
        return Kind(number), length
