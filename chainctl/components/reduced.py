"""An object in; what pickle would make it again from, as values, out."""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reduced:
    """`make(*arguments)`, then its state, its items in order, its pairs of key and value."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]
    state: Any = None
    items: tuple[Any, ...] = ()
    pairs: tuple[tuple[Any, Any], ...] = ()


def reduce(value: object) -> Reduced | str:
    """Ask an object how to make it again; a text is the name under which its module has it.

    Raises TypeError, or whatever the object raises, when it does not say.
    """
    special = copyreg.dispatch_table.get(type(value))
    found = special(value) if special else value.__reduce_ex__(4)
    if isinstance(found, str):
        return found
    make, arguments, *rest = found
    state, items, pairs, setter, *_ = [*rest, None, None, None, None]
    if setter is not None:
        raise TypeError(f"{type(value).__name__} sets its state by a function of its own")
    return Reduced(make, tuple(arguments), state, tuple(items or ()), tuple(pairs or ()))


def made(reduced: Reduced) -> object:
    """Make the object again."""
    value = reduced.make(*reduced.arguments)
    if reduced.state is not None:
        _set_state(value, reduced.state)
    for item in reduced.items:
        value.append(item)
    for key, item in reduced.pairs:
        value[key] = item
    return value


def _set_state(value: Any, state: Any) -> None:
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
        return
    slots: Any = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    for name, item in (state or {}).items():
        value.__dict__[sys.intern(name) if isinstance(name, str) else name] = item
    for name, item in (slots or {}).items():
        object.__setattr__(value, name, item)  # a frozen dataclass takes no other way


def type_name(value: object) -> str:
    """Return the full name of an object's class, without `builtins`."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
