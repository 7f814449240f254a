"""The number that a call came with in; the chainlet object of that generation, and what is under way, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from chainctl.calls.call_context import CallContext
from chainctl.sdk.declaration import Declaration
from chainctl.worker.call import EndpointCall


class Serving:
    """A chainlet object and the codecs of its class, from generation `number` on."""

    __slots__ = ("call", "instance", "is_healthy", "number")

    def __init__(self, number: int, declaration: Declaration, instance: Any) -> None:
        self.number = number
        self.instance = instance
        self.call = EndpointCall(declaration, instance)
        self.is_healthy: Optional[Callable[[], Any]] = getattr(instance, "is_healthy", None)


class Flight:
    """One call that is counted until it lands; `is_kept` while something goes on that outlives its answer."""

    __slots__ = ("_number", "_servings", "is_kept")

    def __init__(self, servings: Servings, number: int) -> None:
        self._servings = servings
        self._number = number
        self.is_kept = False

    def land(self) -> None:
        self._servings.leave(self._number)


class Servings:
    """The chainlet objects of one service; all but one are there only while the service is edited.

    Generations are numbered for the whole chain, so most of them leave this service as it was. A call
    without a number gets the `committed` one. `on_leave`, where it is set, is called whenever work ended.
    """

    def __init__(self, first: Serving) -> None:
        self.all: tuple[Serving, ...] = (first,)
        self.newest = first
        self.committed = 0
        self.on_leave: Optional[Callable[[], None]] = None
        self._flights: dict[int, int] = {}

    def of(self, context: CallContext) -> Serving:
        """Return what serves a call, which has a number from now on."""
        number = context.generation
        if number is None:
            context.generation = number = self.committed
        newest = self.newest
        return newest if newest.number <= number else self.at(number)

    def at(self, number: int) -> Serving:
        """Return what serves a generation: the last that is not newer, else the oldest that there is."""
        for serving in reversed(self.all):
            if serving.number <= number:
                return serving
        return self.all[0]

    def replace(self, servings: tuple[Serving, ...]) -> None:
        """Serve with these from now on, oldest first."""
        self.all, self.newest = servings, servings[-1]

    def enter(self, context: CallContext) -> Flight:
        """Count a call, on the event loop."""
        number = context.generation or 0
        self._flights[number] = self._flights.get(number, 0) + 1
        return Flight(self, number)

    def leave(self, number: int) -> None:
        """Note that a call of a generation ended."""
        left = self._flights[number] - 1
        if left or number == self.committed:
            self._flights[number] = left
        else:
            del self._flights[number]
        if self.on_leave is not None:
            self.on_leave()

    def in_flight(self) -> dict[int, int]:
        """Return how many calls of each generation are under way."""
        return {number: count for number, count in sorted(self._flights.copy().items()) if count}

    def oldest_in_flight(self) -> Optional[int]:
        return min(self.in_flight(), default=None)
