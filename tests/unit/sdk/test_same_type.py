"""When two annotations mean one type."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Annotated, Any, Dict, List, Literal, Optional, Union  # noqa: UP035

import pytest

from chainctl.sdk.same_type import is_same_type


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (int, int),
        (List[int], list[int]),
        (List, list),
        (Dict[str, List[int]], dict[str, list[int]]),
        (Optional[List[int]], list[int] | None),
        (Union[List[int], str], Union[str, list[int]]),
        (Annotated[List[int], "m"], Annotated[list[int], "m"]),
        (typing.Callable[[List[int]], int], Callable[[List[int]], int]),
    ],
)
def test_the_spelling_makes_no_difference(one: Any, other: Any) -> None:
    """Names of `typing`, unions in any order."""
    assert is_same_type(one, other)
    assert is_same_type(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (int, str),
        (list, list[int]),
        (list[int], list[str]),
        (dict[str, int], dict[int, str]),
        (int, Optional[int]),
        (Union[int, str], Union[int, bytes]),
        (Literal[1], Literal[2]),
        (Annotated[int, "m"], Annotated[int, "n"]),
        (Any, int),
    ],
)
def test_types_are_told_apart(one: Any, other: Any) -> None:
    """By what they are and by what they hold."""
    assert not is_same_type(one, other)
    assert not is_same_type(other, one)
