"""What is written to a text stream in; one call with each whole event, and its line on the real stream, out."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TextIO

from chainctl.wire.log_line import LONGEST_MESSAGE

_TRACEBACK = "Traceback (most recent call last):"


class LineStream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr. Each thread has a line of its own under way.

    One print is one event, of however many lines; so is a traceback, which Python writes in pieces.
    Text after a carriage return replaces what is before it, as on a terminal.
    """

    def __init__(self, real: TextIO, line_of: Callable[[str], bytes]) -> None:
        self._real = real
        self._descriptor = real.fileno()
        self._line_of = line_of
        self._begun: dict[int, str] = {}
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only here
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # read-only here
        return "backslashreplace"

    @property
    def buffer(self) -> BinaryIO:
        """The real stream below: what is written there stays as it is."""
        return self._real.buffer

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def reconfigure(self, **_settings: Any) -> None:
        """Accept what a real stream accepts; lines are always flushed and always UTF-8."""

    def write(self, text: str) -> int:
        """Take text; what ends an event is written out."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self._take(text)
        return len(text)

    def flush(self) -> None:
        """Leave a line that is under way where it is: it is written when it ends."""

    def finish(self) -> None:
        """Write what was begun and never ended, of all threads."""
        while self._begun:
            try:
                _, begun = self._begun.popitem()
            except KeyError:  # its thread has just ended it
                continue
            self._emit(begun)

    def put(self, line: bytes) -> None:
        """Write a line to the real stream, whole, between those of other threads."""
        view = memoryview(line)
        with self._lock:
            while view:
                view = view[os.write(self._descriptor, view) :]

    def _take(self, text: str) -> None:
        thread = threading.get_ident()
        begun = self._begun.pop(thread, "")
        first, line_end, rest = text.partition("\n")
        if begun and line_end and not _is_open_traceback(begun):
            self._emit(begun + first)
            begun, text = "", rest
        begun = _after_return(begun + text)
        if begun.endswith("\n") and not _is_open_traceback(begun):
            self._emit(begun[:-1])
            begun = ""
        while len(begun) > LONGEST_MESSAGE:
            self._emit(begun[:LONGEST_MESSAGE])
            begun = begun[LONGEST_MESSAGE:]
        if begun:
            self._begun[thread] = begun

    def _emit(self, text: str) -> None:
        text = _after_return(text.removesuffix("\n")).removesuffix("\r")
        for start in range(0, len(text) or 1, LONGEST_MESSAGE):
            self.put(self._line_of(text[start : start + LONGEST_MESSAGE]))

    def _renew(self) -> None:
        """Begin anew in a forked process: other threads, with lines and locks of theirs, are not there."""
        self._lock = threading.Lock()
        self._begun.clear()


def _after_return(text: str) -> str:
    """Drop what carriage returns have overwritten; one at the end has overwritten nothing yet."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line[line.rstrip("\r").rfind("\r") + 1 :] for line in lines)


def _is_open_traceback(text: str) -> bool:
    """Say whether lines of a traceback are still to come: its last one is not indented."""
    if not text.startswith(_TRACEBACK):
        return False
    last = text.rstrip("\n").rpartition("\n")[2]
    return last.startswith((" ", _TRACEBACK))
