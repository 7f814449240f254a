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

    def enter(self, number: Optional[int]) -> None:
        """Count work of a generation, on the event loop."""
        key = number or 0
        self._flights[key] = self._flights.get(key, 0) + 1

    def leave(self, number: Optional[int]) -> None:
        """Note that work of a generation ended."""
        key = number or 0
        left = self._flights[key] - 1
        if left or key == self.committed:
            self._flights[key] = left
        else:
            del self._flights[key]
        if self.on_leave is not None:
            self.on_leave()

    def in_flight(self) -> dict[int, int]:
        """Return how many calls of each generation are under way."""
        return {number: count for number, count in sorted(self._flights.copy().items()) if count}

    def oldest_in_flight(self) -> Optional[int]:
        return min(self.in_flight(), default=None)
