"""The limits of a batch in; a `run_remote` that takes several calls at once, and what it was given, out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Optional, Protocol, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
_MARK = "__chainctl_batched__"


@dataclass(frozen=True)
class Batching:
    """How calls are put together: at most `max_size`, the first of which waits `max_latency` seconds at most.

    `argument` is the name by which callers give one element, None for the name that the list has.
    """

    max_size: int
    max_latency: float
    argument: Optional[str] = None


class Batched(Protocol):
    """Turns a method of lists into one that is called with single elements, as type checkers see it."""

    @overload
    def __call__(
        self, function: Callable[[S, list[T]], Coroutine[Any, Any, list[R]]], /
    ) -> Callable[[S, T], Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[[S, list[T]], list[R]], /) -> Callable[[S, T], R]: ...


def batched(*, max_size: int, max_latency: float, argument: Optional[str] = None) -> Batched:
    """Hand concurrent calls to `run_remote` as one list: `@chains.batched(max_size=8, max_latency=0.01)`.

    It takes one list and returns one, with a result or an exception for each element, in their order; each
    call gives one element and gets one result. A batch begins when it is full, or `max_latency` seconds
    after its first call. While it waits for a place (`predict_concurrency`) it goes on filling, so it grows
    with the load, as in Clipper (Crankshaw et al., "Clipper: A Low-Latency Online Prediction Serving
    System", NSDI 2017). `argument` names the element for callers.
    """
    given = Batching(max_size, max_latency, argument)

    def mark(function: Any) -> Any:
        setattr(function, _MARK, given)
        return function

    return mark


def batching_of(function: object) -> Optional[Batching]:
    """Return what `batched` was given for a function, None for one that it does not stand on."""
    found = getattr(function, "__dict__", {}).get(_MARK)
    return found if isinstance(found, Batching) else None
