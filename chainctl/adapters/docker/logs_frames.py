"""The engine's stream of one container's log in; whole lines, each with its time, out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_HEAD = struct.Struct(">BxxxL")
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class StampedLine:
    """A line as the engine has it. `stamp` is its RFC 3339 time in UTC, of one width, so it sorts."""

    stamp: str
    text: str


def read_lines(read: Callable[[int], bytes]) -> Iterator[StampedLine]:
    """Yield lines until the stream ends. What was cut into pieces, at 16 KiB, is one line again."""
    joiner = LineJoiner()
    for stream, payload in _frames(read):
        yield from joiner.feed(stream, payload)
    yield from joiner.finish()


class LineJoiner:
    """Joins the pieces of long lines; stdout and stderr may come between each other."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, bytes]] = {}

    def feed(self, stream: int, payload: bytes) -> Iterator[StampedLine]:
        """Yield the line that a piece completes; every piece begins with its own time."""
        mark, _, piece = payload.partition(b" ")
        stamp, begun = self._open.pop(stream, (mark.decode(errors="replace"), b""))
        line = begun + piece
        if line.endswith(b"\n") or len(line) > _LONGEST:
            yield _stamped(stamp, line)
        else:
            self._open[stream] = (stamp, line)

    def finish(self) -> list[StampedLine]:
        """Return the lines that were never ended."""
        return [_stamped(stamp, line) for stamp, line in sorted(self._open.values())]


def _stamped(stamp: str, line: bytes) -> StampedLine:
    return StampedLine(stamp, line.decode(errors="replace").rstrip("\r\n"))


def _frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    while len(head := read(_HEAD.size)) == _HEAD.size:
        stream, length = _HEAD.unpack(head)
        payload = read(length)
        if len(payload) < length:
            return
        yield stream, payload
