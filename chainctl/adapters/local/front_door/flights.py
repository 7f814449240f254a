"""Requests that begin and end in, the moment when none is under way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


class Flights:
    """Counts the requests, streams and WebSockets that a service is answering."""

    def __init__(self) -> None:
        self.count = 0
        self._landed = asyncio.Event()
        self._landed.set()

    @contextmanager
    def flight(self) -> Iterator[None]:
        self.count += 1
        self._landed.clear()
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self._landed.set()

    async def landed(self) -> None:
        """Wait until nothing is under way."""
        await self._landed.wait()


@dataclass(frozen=True, slots=True)
class Backend:
    """A service as the front door sees it: its name, its socket, what it is answering."""

    service: str
    socket: Path
    flights: Flights = field(default_factory=Flights, compare=False)


@dataclass(slots=True)
class Switch:
    """The route of a chain: one backend or none. A flip is one assignment."""

    backend: Backend | None = None
