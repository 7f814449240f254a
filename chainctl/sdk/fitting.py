"""The type of a value and one that is wanted in; whether the value certainly does not fit out."""

from __future__ import annotations

import types
import typing
from typing import Any

from chainctl.sdk.same_type import is_same_type

_PROMOTED = {(int, float), (int, complex), (float, complex), (bool, float)}
"""Numbers that type checkers let pass where another type is written."""


def misfits(given: Any, wanted: Any) -> bool:
    """Say whether a value of type `given` is none of type `wanted`; in doubt, no.

    Unions are looked into, containers are compared by what they are and what they hold.
    """
    given, wanted = _bare(given), _bare(wanted)
    if given is Any or wanted in (Any, object) or is_same_type(given, wanted):
        return False
    if _is_union(given):
        return any(misfits(member, wanted) for member in typing.get_args(given))
    if _is_union(wanted):
        return all(misfits(given, member) for member in typing.get_args(wanted))
    one, other = _plain(given), _plain(wanted)
    if one is None or other is None or (one, other) in _PROMOTED:
        return False
    if not _is_subclass(one, other):
        return True
    holds, held = typing.get_args(given), typing.get_args(wanted)
    return one is other and len(holds) == len(held) and any(map(misfits, holds, held))


def _bare(annotation: Any) -> Any:
    """An annotation without what `Annotated` adds to it."""
    return annotation.__origin__ if typing.get_origin(annotation) is typing.Annotated else annotation


def _plain(annotation: Any) -> Any:
    """The class that an annotation is of, None where that is not plain."""
    if annotation is None:
        return type(None)
    found = typing.get_origin(annotation) or annotation
    is_odd = not isinstance(found, type) or typing.is_typeddict(found)
    return None if is_odd or getattr(found, "_is_protocol", False) else found


def _is_subclass(one: type, other: type) -> bool:
    try:
        return issubclass(one, other)
    except TypeError:
        return True


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
