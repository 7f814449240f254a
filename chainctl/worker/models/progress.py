"""Bytes as they come in; a log line now and then, and one in the end, out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Optional

EVERY_SEC = 5.0
_LOG = logging.getLogger("chainctl.models")
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class Progress:
    """Counts what has arrived of something that has a name; several threads may add to it.

    `total` is None where it is not known. Nothing is said of what is done within `every_sec`.
    """

    def __init__(
        self,
        name: str,
        total: Optional[int] = None,
        *,
        every_sec: float = EVERY_SEC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self._name = name
        self._every_sec = every_sec
        self._clock = clock
        self._lock = threading.Lock()
        self._got = 0
        self._began = self._told = clock()

    def add(self, count: int) -> None:
        """Count bytes; a negative number takes back what has to come again."""
        with self._lock:
            self._got += count
            now = self._clock()
            if now - self._told < self._every_sec:
                return
            self._told = now
            of = "" if self.total is None else f" of {size_text(self.total)}"
            _LOG.info("fetching %s: %s%s", self._name, size_text(self._got), of)

    def end(self) -> None:
        """Say that all of it is here."""
        _LOG.info("%s is here: %s in %.0f s", self._name, size_text(self._got), self._clock() - self._began)


def size_text(count: int) -> str:
    """A number of bytes as people read it."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
