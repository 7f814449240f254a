"""Calls that are held for a service that sleeps in; how many wait for which service out.

Whoever wakes services asks for it, so that one is started for which somebody waits.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Awaited:
    """Counts the calls of this process that are held, by the host name of the service; for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, service: str) -> Iterator[None]:
        """Count one more call as held for a service, until it goes on or is given up."""
        self._count(service, 1)
        try:
            yield
        finally:
            self._count(service, -1)

    def counts(self) -> dict[str, int]:
        """Return for which services calls are held, and how many."""
        with self._lock:
            return {service: held for service, held in sorted(self._held.items()) if held}

    def _count(self, service: str, more: int) -> None:
        with self._lock:
            self._held[service] += more
