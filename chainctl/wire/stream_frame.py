"""Items of a stream, its end or its error in; length-prefixed frames out, and back, however they are cut.

A frame is: kind (1 byte), three zero bytes, length of the payload (4 bytes, little-endian), payload.
A stream without END or ERROR was cut off.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Sequence

from chainctl.wire.frame import Buffer

_HEAD = struct.Struct("<B3sI")
_ZEROS = bytes(3)
MOST_FRAME_BYTES = 1 << 30


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


_KINDS = {int(kind): kind for kind in Kind}
_WITH_BUFFERS = (Kind.FRAMED, Kind.FRAMED_ARGUMENTS)


class StreamGarbage(ValueError):
    """Bytes that are no frames of a stream."""


def frame_head(kind: Kind, length: int) -> bytes:
    """Return what goes before a payload of `length` bytes. Raises ValueError if no reader takes so many."""
    if length > MOST_FRAME_BYTES:
        raise ValueError(f"an item of {length} bytes is larger than the limit of {MOST_FRAME_BYTES} bytes")
    return _HEAD.pack(kind, _ZEROS, length)


def whole_frame(kind: Kind, payload: Buffer = b"") -> bytes:
    """Return a frame in one piece. Raises ValueError."""
    return b"".join([frame_head(kind, len(payload)), payload])


def frame_parts(kind: Kind, parts: Sequence[Buffer]) -> list[Buffer]:
    """Return a frame whose payload is in pieces, which are not copied. Raises ValueError."""
    return [frame_head(kind, sum(map(len, parts))), *parts]


class FrameReader:
    """Takes bytes as they come and gives whole frames. `limit` bounds a payload, in bytes.

    `is_over` says that END or ERROR was seen.
    """

    def __init__(self, limit: int = MOST_FRAME_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()
        self._wanted = _HEAD.size
        self.is_over = False

    @property
    def is_clean(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._held

    def feed(self, data: Buffer) -> list[tuple[Kind, Buffer]]:
        """Return the frames that are complete now. Raises StreamGarbage.

        Payloads that have buffers in them are views that can be written to, the others are bytes.
        """
        if self.is_over and len(data):
            raise StreamGarbage("there are bytes after the end of the stream")
        self._held += data
        if len(self._held) < self._wanted:
            return []
        whole = memoryview(self._held)
        frames: list[tuple[Kind, Buffer]] = []
        start = 0
        for kind, end in self._ends(whole):
            payload = whole[start + _HEAD.size : end]
            frames.append((kind, payload if kind in _WITH_BUFFERS else bytes(payload)))
            start = end
        if start:
            self._held = bytearray(whole[start:])
        return frames

    def _ends(self, whole: memoryview) -> Iterator[tuple[Kind, int]]:
        """Yield the kind and the end of each whole frame; set how many bytes the next one wants."""
        start = 0
        self._wanted = _HEAD.size
        while start < len(whole):
            if self.is_over:
                raise StreamGarbage("there are bytes after the end of the stream")
            if len(whole) - start < _HEAD.size:
                return
            kind, length = self._head(whole, start)
            end = start + _HEAD.size + length
            if end > len(whole):
                self._wanted = _HEAD.size + length
                return
            self.is_over = kind in (Kind.END, Kind.ERROR)
            yield kind, end
            start = end

    def _head(self, whole: memoryview, start: int) -> tuple[Kind, int]:
        number, zeros, length = _HEAD.unpack_from(whole, start)
        if number not in _KINDS or zeros != _ZEROS:
            raise StreamGarbage("these bytes are no frame of a stream")
        if length > self._limit:
            raise StreamGarbage(f"a frame of {length} bytes is larger than the limit of {self._limit}")
        return _KINDS[number], length
