"""Requests that begin and end in, the moment when none is under way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.local.front_door.tally import Tally

_WHOLE = 100


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
    """The route of a chain: one backend or none. A flip is one assignment.

    While the traffic is split, `canary` gets `percent` of a hundred requests, evenly among the others.
    """

    backend: Backend | None = None
    canary: Backend | None = None
    percent: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    _credit: int = 0

    def flip(self, backend: Backend | None) -> None:
        """Give all traffic to one backend, or to none."""
        self.backend, self.canary = backend, None

    def split(self, canary: Backend, percent: int) -> None:
        """Give a part of the traffic to another backend, and count anew."""
        self.canary, self.percent, self._credit, self.tallies = canary, percent, 0, {}

    def leave(self, service: str) -> None:
        """Give no more traffic to a service."""
        if self.canary is not None and self.canary.service == service:
            self.canary = None
        if self.backend is not None and self.backend.service == service:
            self.flip(None)

    def choose(self) -> Backend | None:
        """Return who gets the next request."""
        if self.canary is None or self.backend is None:
            return self.backend
        self._credit += self.percent
        if self._credit < _WHOLE:
            return self.backend
        self._credit -= _WHOLE
        return self.canary

    def tally_of(self, backend: Backend) -> Tally:
        return self.tallies.setdefault(backend.service, Tally())
