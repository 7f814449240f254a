"""Requests that begin and end in, the moment when none is under way out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.local.front_door.tally import Tally

_WHOLE = 100


class Flights:
    """Counts the requests, streams and WebSockets that a service is answering.

    `is_away` while its process ended and is not ready again: then others get its requests.
    """

    def __init__(self) -> None:
        self.count = 0
        self.is_away = False
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
    """A replica of a service as the front door sees it: its socket, what it is answering."""

    service: str
    socket: Path
    flights: Flights = field(default_factory=Flights, compare=False)
    replica: int = 1


class Waiting:
    """Requests that are held while a chain sleeps; whoever wakes it waits for the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._woken: asyncio.Event = asyncio.Event()
        self._some: asyncio.Event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Be held until there is a backend again, or time is up."""
        self.count += 1
        self._some.set()
        woken = self._woken
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return
        finally:
            self.count -= 1
            if not self.count:
                self._some.clear()

    def go_on(self) -> None:
        """Let all go on that wait now."""
        self._woken.set()
        self._woken = asyncio.Event()

    async def held(self, within_sec: float) -> int:
        """Return how many are held, as soon as there are some or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_sec):
                await self._some.wait()
        return self.count


@dataclass(slots=True)
class Switch:
    """The route of a chain: one backend or none, with the other replicas of its service.

    While the traffic is split, `canary` gets `percent` of a hundred requests, evenly among the others.
    `intercept` stands in for all replicas of its service while it is ready. `waiting` tells of requests that
    wait while there is no backend.
    """

    backend: Backend | None = None
    canary: Backend | None = None
    percent: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    others: tuple[Backend, ...] = ()
    canary_others: tuple[Backend, ...] = ()
    intercept: Backend | None = None
    waiting: Waiting = field(default_factory=Waiting)
    _credit: int = 0
    _turn: int = 0

    @property
    def spread(self) -> int:
        """Over how many first replicas the traffic goes; 0 where those that have it are others than the first."""
        numbers = [one.replica for one in (self.backend, *self.others) if one is not None]
        return len(numbers) if sorted(numbers) == list(range(1, len(numbers) + 1)) else 0

    def flip(self, backend: Backend | None, *others: Backend) -> None:
        """Give all traffic to one service, with all of its replicas, or to none."""
        self.backend, self.others = backend, others
        self.canary, self.canary_others = None, ()
        if backend is not None:
            self.waiting.go_on()

    def split(self, canary: Backend, percent: int, *others: Backend) -> None:
        """Give a part of the traffic to another service, and count anew."""
        self.canary, self.canary_others = canary, others
        self.percent, self._credit, self.tallies = percent, 0, {}

    def leave(self, service: str, replica: int = 1) -> None:
        """Give no more traffic to a replica; those that are left go on."""
        if self.intercept is not None and (self.intercept.service, self.intercept.replica) == (
            service,
            replica,
        ):
            self.intercept = None
            return
        if self.canary is not None:
            left = _without((self.canary, *self.canary_others), service, replica)
            self.canary, self.canary_others = (left[0], left[1:]) if left else (None, ())
        if self.backend is not None:
            left = _without((self.backend, *self.others), service, replica)
            if left:
                self.backend, self.others = left[0], left[1:]
            else:
                self.flip(None)

    def renew(self, backend: Backend) -> None:
        """Put a replica that started again in its own place, if it has one."""
        if self.backend is not None:
            self.backend, *others = (
                backend if one == backend else one for one in (self.backend, *self.others)
            )
            self.others = tuple(others)
        if self.canary is not None:
            self.canary, *others = (
                backend if one == backend else one for one in (self.canary, *self.canary_others)
            )
            self.canary_others = tuple(others)

    def choose(self) -> Backend | None:
        """Return who gets the next request."""
        if self.canary is None or self.backend is None:
            return self._one_of(self.backend, self.others)
        self._credit += self.percent
        if self._credit < _WHOLE:
            return self._one_of(self.backend, self.others)
        self._credit -= _WHOLE
        return self._one_of(self.canary, self.canary_others)

    def spares(self, backend: Backend) -> list[Backend]:
        """Return the other replicas that could answer in place of one."""
        for first, others in ((self.backend, self.others), (self.canary, self.canary_others)):
            if first is not None and first.service == backend.service:
                return [one for one in (first, *others) if one is not backend]
        return []

    def _one_of(self, first: Backend | None, others: tuple[Backend, ...]) -> Backend | None:
        """Return the replica that answers the fewest requests; in turn where several do."""
        if first is None:
            return None
        stand_in = self.intercept
        if stand_in is not None and stand_in.service == first.service and not stand_in.flights.is_away:
            return stand_in
        if not others:
            return first
        self._turn += 1
        every = (first, *others)
        here = [one for one in every if not one.flights.is_away] or every
        turned = (here[(self._turn + n) % len(here)] for n in range(len(here)))
        return min(turned, key=lambda one: one.flights.count)

    def tally_of(self, backend: Backend) -> Tally:
        return self.tallies.setdefault(backend.service, Tally())


def _without(backends: tuple[Backend, ...], service: str, replica: int) -> tuple[Backend, ...]:
    return tuple(one for one in backends if (one.service, one.replica) != (service, replica))
