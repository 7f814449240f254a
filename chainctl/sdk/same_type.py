"""Two annotations in; whether they mean the same type, however they are written, out."""

from __future__ import annotations

import types
import typing
from typing import Any


def is_same_type(one: Any, other: Any) -> bool:
    """Say whether two annotations mean one type: `List[int]` is `list[int]`, and `Optional[int]` is `int | None`."""
    if one == other:
        return True
    origin, arguments, others = _origin(one), typing.get_args(one), typing.get_args(other)
    if origin != _origin(other) or origin is typing.Literal or len(arguments) != len(others):
        return False
    if origin is typing.Union:
        return all(any(is_same_type(argument, o) for o in others) for argument in arguments)
    return all(map(is_same_type, arguments, others))


def _origin(annotation: Any) -> Any:
    origin = typing.get_origin(annotation) or annotation
    return typing.Union if origin is types.UnionType else origin
