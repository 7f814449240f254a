"""The number that a call came with in; the chainlet object of that generation, and what is under way, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar

from chainctl.calls.call_context import CallContext
from chainctl.sdk.declaration import Declaration
from chainctl.worker.call import EndpointCall


class Made:
    """An object that serves calls, from generation `number` on."""

    __slots__ = ("instance", "number")

    def __init__(self, number: int, instance: Any) -> None:
        self.number = number
        self.instance = instance


class Serving(Made):
    """A chainlet object and the codecs of its class."""

    __slots__ = ("call", "is_healthy")

    def __init__(self, number: int, declaration: Declaration, instance: Any) -> None:
        super().__init__(number, instance)
        self.call = EndpointCall(declaration, instance)
        self.is_healthy: Optional[Callable[[], Any]] = getattr(instance, "is_healthy", None)


MadeT = TypeVar("MadeT", bound=Made)


class Flights:
    """How many calls of one generation are under way."""

    __slots__ = ("_servings", "count")

    def __init__(self, servings: Servings[Any]) -> None:
        self._servings = servings
        self.count = 0

    def land(self) -> None:
        """Note that one of them ended."""
        self.count -= 1
        if self._servings.on_leave is not None:
            self._servings.on_leave()


class Servings(Generic[MadeT]):
    """The objects of one service, chainlets or a model; all but one are there only while the service is edited.

    Generations are numbered for the whole chain, so most of them leave this service as it was. A call
    without a number gets the `committed` one. `on_leave`, where it is set, is called whenever work ended.
    """

    def __init__(self, first: MadeT) -> None:
        self.all: tuple[MadeT, ...] = (first,)
        self.newest = first
        self.committed = 0
        self.on_leave: Optional[Callable[[], None]] = None
        self._flights: dict[int, Flights] = {}

    def of(self, context: CallContext) -> MadeT:
        """Return what serves a call, which has a number from now on."""
        number = context.generation
        if number is None:
            context.generation = number = self.committed
        newest = self.newest
        return newest if newest.number <= number else self.at(number)

    def at(self, number: int) -> MadeT:
        """Return what serves a generation: the last that is not newer, else the oldest that there is."""
        for serving in reversed(self.all):
            if serving.number <= number:
                return serving
        return self.all[0]

    def replace(self, servings: tuple[MadeT, ...]) -> None:
        """Serve with these from now on, oldest first."""
        self.all, self.newest = servings, servings[-1]

    def enter(self, context: CallContext) -> Flights:
        """Count a call, on the event loop, until it lands."""
        number = context.generation or 0
        flights = self._flights.get(number)
        if flights is None:
            flights = self._flights[number] = Flights(self)
        flights.count += 1
        return flights

    def forget(self, before: int) -> None:
        """Count no further for generations that are gone. One of their calls that comes late is counted anew."""
        for number, flights in self._flights.copy().items():
            if number < before and not flights.count:
                self._flights.pop(number, None)

    @property
    def count(self) -> int:
        """How many calls are under way, of any generation."""
        return sum(flights.count for flights in self._flights.copy().values())

    def in_flight(self) -> dict[int, int]:
        """Return how many calls of each generation are under way."""
        return {
            number: flights.count for number, flights in sorted(self._flights.copy().items()) if flights.count
        }
