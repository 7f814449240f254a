"""The chunks of a `text/event-stream` in; the data of its events out. See "Server-sent events" in WHATWG HTML."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

LARGEST_EVENT = 16 << 20
_LINE_END = re.compile(r"\r\n|\n|\r")


class EventTooLarge(ValueError):
    """One event has more than LARGEST_EVENT characters."""


class EventReader:
    """Takes chunks, which may be cut anywhere, and gives the data of each event that is complete.

    Comments and the fields other than `data` are passed over. An event that has not ended when
    the stream does is none.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._rest: list[str] = []
        self._rest_size = 0
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of the events that end in a chunk. Raises EventTooLarge."""
        text = self._decoder.decode(chunk)
        if not _LINE_END.search(text):
            self._keep(text)
            return
        *lines, rest = self._lines("".join([*self._rest, text]))
        self._rest, self._rest_size = [], 0
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                yield "\n".join(self._data)
            if not line:
                self._data, self._size = [], 0
        self._keep(rest)

    def _lines(self, text: str) -> list[str]:
        """Split at line ends; a CR at the very end may be half of one, so it stays in the rest."""
        if text.endswith("\r"):
            *lines, last = _LINE_END.split(text[:-1])
            return [*lines, last + "\r"]
        return _LINE_END.split(text)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value[1:] if value.startswith(" ") else value)
            self._count(value)

    def _keep(self, text: str) -> None:
        if text:
            self._rest.append(text)
            self._rest_size += len(text)
        self._require(self._size + self._rest_size)

    def _count(self, text: str) -> None:
        self._size += len(text)
        self._require(self._size)

    def _require(self, size: int) -> None:
        if size > LARGEST_EVENT:
            raise EventTooLarge(f"an event has more than {LARGEST_EVENT} characters")
