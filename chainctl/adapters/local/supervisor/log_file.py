"""What a process writes in, a file with one timed line each out, rotated before it grows too large."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

ROTATE_BYTES = 10 * 1024 * 1024
LINE_BYTES = 64 * 1024


class LogFile:
    """`<time> <line>` per line, the time in UTC as ISO 8601. One older file is kept, as `<name>.1`."""

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they come from the pipe."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        if lines:
            self._write(lines)

    def end_line(self) -> None:
        """Write what came without its line end, as a process does that is killed."""
        if self._partial:
            self._write([self._partial])
            self._partial = b""

    def note(self, text: str) -> None:
        """Add a line of our own."""
        self.end_line()
        self._write([b"chainctl: " + text.encode()])

    def close(self) -> None:
        self.end_line()
        self._file.close()

    def _write(self, lines: list[bytes]) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").encode()
        block = b"".join(b"%s %s\n" % (now, line.rstrip(b"\r")) for line in lines)
        with contextlib.suppress(OSError):  # a full disk must not stop the service
            self._rotate_before(len(block))
            self._file.write(block)
            self._size += len(block)

    def _rotate_before(self, coming: int) -> None:
        if self._size == 0 or self._size + coming <= self._rotate_bytes:
            return
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        fresh = self._path.open("ab", buffering=0)
        self._file.close()
        self._file, self._size = fresh, 0
