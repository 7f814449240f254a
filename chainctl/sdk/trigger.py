"""A method in; a trigger that sets its component up first, and the order in which triggers run, out."""

from __future__ import annotations

import functools
import heapq
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, Union, cast

from chainctl.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__chainctl_trigger__"
_COUNTED = "__chainctl_counted__"
_STATE = "_chainctl"
EVENTS = frozenset(["apply"])


@dataclass(frozen=True)
class TriggerMark:
    """What `@trigger` says: its events, the triggers it waits for, the fields that must be given."""

    events: tuple[str, ...]
    depends_on: tuple[str, ...]
    requires: tuple[str, ...]


def trigger(
    *events: str, depends_on: Union[str, Sequence[str]] = (), requires: Union[str, Sequence[str]] = ()
) -> Callable[[F], F]:
    """Make a method a job of its component: `@trigger("apply", depends_on="start", requires="render")`.

    It runs when the component is applied, after the triggers in `depends_on`, and only where each
    field in `requires` is not None. After superduper's triggers.
    """
    if events and not isinstance(events[0], str):
        raise DefinitionError(
            f"`@trigger` stands on `{getattr(events[0], '__name__', events[0])}` without an event.",
            code="CH0904",
            hint='write `@trigger("apply")`.',
        )
    mark = TriggerMark(tuple(events), _names(depends_on), _names(requires))

    def marked(function: F) -> F:
        wrapper = _set_up_first(function)
        setattr(wrapper, _MARK, mark)
        return wrapper

    return marked


def _names(given: Union[str, Sequence[str]]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _set_up_first(function: F) -> F:
    """A direct call of a trigger finds its component set up, just as a job does."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            begun = begin_setup(self)
            if inspect.isawaitable(begun):
                await begun
            return await function(self, *args, **kwargs)

        return cast("F", run_async)

    @functools.wraps(function)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        begun = begin_setup(self)
        if inspect.isawaitable(begun):
            _run(begun)
        return function(self, *args, **kwargs)

    return cast("F", run)


def _run(value: Any) -> None:
    """Finish an async `setup` for a trigger that is none."""
    import asyncio

    async def awaited() -> None:
        await value

    asyncio.run(awaited())


# --- setup, once -----------------------------------------------------------------------------


def begin_setup(component: Any) -> Any:
    """Call `setup` unless it was called before; an async one is returned to be awaited."""
    return None if getattr(component, _STATE).is_set_up else component.setup()


def counted(setup: F) -> F:
    """Make a `setup` that remembers on its instance that it was called, also when the user calls it."""
    if inspect.iscoroutinefunction(setup):

        @functools.wraps(setup)
        async def run_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            state = getattr(self, _STATE)
            state.is_set_up = True
            try:
                return await setup(self, *args, **kwargs)
            except BaseException:
                state.is_set_up = False
                raise

        return cast("F", _as_counted(run_async))

    @functools.wraps(setup)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        state = getattr(self, _STATE)
        state.is_set_up = True
        try:
            return setup(self, *args, **kwargs)
        except BaseException:
            state.is_set_up = False
            raise

    return cast("F", _as_counted(run))


def _as_counted(function: Any) -> Any:
    setattr(function, _COUNTED, True)
    return function


def is_counted(function: object) -> bool:
    """Say whether this is a `setup` that `counted` made."""
    return hasattr(function, _COUNTED)


def as_written(function: Any) -> Any:
    """Return the user's function under what `trigger` and `counted` put round it."""
    ours = hasattr(function, _MARK) or hasattr(function, _COUNTED)
    return function.__wrapped__ if ours else function


# --- the triggers of a class -----------------------------------------------------------------


def triggers_of(cls: type) -> Mapping[str, TriggerMark]:
    """Return a class's triggers, inherited ones too, by name and sorted by name."""
    found = ((name, trigger_mark(inspect.getattr_static(cls, name, None))) for name in sorted(dir(cls)))
    return {name: mark for name, mark in found if mark}


def trigger_mark(function: object) -> Union[TriggerMark, None]:
    mark = getattr(function, _MARK, None) if inspect.isfunction(function) else None
    return mark if isinstance(mark, TriggerMark) else None


def in_order(triggers: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Sort names so that each comes after what it depends on; by name where nothing else decides."""
    waits = {name: {d for d in needs if d in triggers} for name, needs in triggers.items()}
    ready = [name for name, needs in waits.items() if not needs]
    heapq.heapify(ready)
    done: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        done.append(name)
        for other, needs in waits.items():
            if name in needs:
                needs.discard(name)
                if not needs:
                    heapq.heappush(ready, other)
    return tuple(done)


def circle_in(triggers: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return a circle of names, its first one repeated at the end; () when there is none."""
    stuck = {n: sorted(d for d in needs if d in triggers) for n, needs in triggers.items()}
    for name in in_order(triggers):
        stuck.pop(name)
    if not stuck:
        return ()
    path = [min(stuck)]
    while path[-1] not in path[:-1]:
        path.append(next(d for d in stuck[path[-1]] if d in stuck))
    circle = path[path.index(path[-1]) :]
    first = circle.index(min(circle))
    return (*circle[first:-1], *circle[:first], circle[first])
