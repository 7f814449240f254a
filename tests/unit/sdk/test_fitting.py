"""Which values certainly are not of a wanted type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Optional, Protocol, TypedDict, TypeVar, Union

import pytest

from chainctl.sdk.fitting import misfits

T = TypeVar("T")


class Sized(Protocol):
    def size(self) -> int: ...


class Row(TypedDict):
    name: str


class Base: ...


class Derived(Base): ...


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (str, str), (Derived, Base), (bool, int), (int, float), (str, object), (Any, str), (str, Any),
        (str, Optional[str]), (None, Optional[str]), (type(None), None), (Union[int, str], str | int),
        (list[str], Sequence[str]), (list[str], list), (list[str], list[Any]), (list, list[str]),
        (dict[str, bool], dict[str, int]), (str, T), (Derived, Sized), (Row, dict[str, str]), (dict, Row),
        (Literal["a"], str), (Annotated[str, 1], str), (list[str], Iterable),
    ],
)  # fmt: skip
def test_in_doubt_it_fits(given: Any, wanted: Any) -> None:
    """What is so, what type checkers let pass, and what only they could know."""
    assert not misfits(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (str, int), (Base, Derived), (float, int), (Optional[str], str), (None, str), (list[str], list[int]),
        (list[str], tuple[str, ...]), (str, Union[int, bytes]), (dict[str, str], dict[str, int]), (Base, None),
    ],
)  # fmt: skip
def test_what_is_plainly_another_type(given: Any, wanted: Any) -> None:
    """Other classes, by themselves, in unions and in containers of the same kind."""
    assert misfits(given, wanted)
