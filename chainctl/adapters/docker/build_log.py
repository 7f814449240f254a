"""What a build instruction writes in; clean lines and the last few of them out."""

from __future__ import annotations

import re
from collections import deque

LONGEST = 1 << 14
TAIL = 20
STREAMS = (1, 2)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def clean_line(line: str) -> str:
    """Return what a terminal would show at the end: no escapes, only the last redrawing."""
    shown = line.rstrip("\r").rpartition("\r")[2]
    return _CONTROL.sub("", _ESCAPE.sub("", shown)).rstrip()


class LineCutter:
    """Cuts one stream of bytes into clean lines, however the bytes arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete now; a line without an end is cut when too long."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            lines, self._rest = [*lines, self._rest], b""
        return [clean_line(line[:LONGEST].decode(errors="replace")) for line in lines]

    def finish(self) -> list[str]:
        """Return the line that was not ended, if it shows anything."""
        return [line for line in self.feed(b"\n") if line]


class StepLog:
    """The output of one instruction: a cutter for each stream, and the last lines over all."""

    def __init__(self) -> None:
        self._cutters: dict[int, LineCutter] = {}
        self._tail: deque[str] = deque(maxlen=TAIL)

    @property
    def tail(self) -> tuple[str, ...]:
        return tuple(self._tail)

    def feed(self, stream: int, data: bytes) -> list[str]:
        """Return the new lines of one stream."""
        known = stream if stream in STREAMS else STREAMS[0]
        return self._keep(self._cutters.setdefault(known, LineCutter()).feed(data))

    def finish(self) -> list[str]:
        """Return the lines that were not ended, of all streams."""
        return self._keep([line for cutter in self._cutters.values() for line in cutter.finish()])

    def _keep(self, lines: list[str]) -> list[str]:
        self._tail.extend(lines)
        return lines
