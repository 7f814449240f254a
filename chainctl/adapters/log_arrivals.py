"""Lines that threads read from several logs in; the same in the order in which they came, out."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from chainctl.deploy.target import LogLine
from chainctl.errors import ChainctlError


class LogArrivals:
    """Where readers put what they read, or what they met in its place."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[LogLine | ChainctlError] = queue.SimpleQueue()

    def put(self, item: LogLine | ChainctlError) -> None:
        self._arrived.put(item)

    def within(self, seconds: float) -> Iterator[LogLine]:
        """Yield what comes within a time, at least what is there. Raises what a reader met."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            try:
                item = self._arrived.get(timeout=left) if left > 0 else self._arrived.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, ChainctlError):
                raise item
            yield item
