"""Calls between chainlets that do not fit any more, by their place; what can not be known is not told."""

from __future__ import annotations

import ast

import pytest

from chainctl.watch.callers import UnfitCall, unfit_calls
from tests.unit.watch.test_ladder import CHAIN, graph

FILE = "/project/chain.py"
TAKES = "    def run_remote(self, text: str) -> str:\n        return clean(text)"
CALL = "self.leaf.run_remote(text)"


def found(takes: str = "text: str", call: str = CALL) -> list[str]:
    text = CHAIN.replace(TAKES, TAKES.replace("text: str", takes)).replace(CALL, call)
    calls = unfit_calls(graph(), {FILE: ast.parse(text)})
    assert all(call.path == FILE and call.line == text.splitlines().index(_line(text)) + 1 for call in calls)
    return [call.text.removeprefix("`Root` calls `Leaf.run_remote` ") for call in calls]


def _line(text: str) -> str:
    return next(line for line in text.splitlines() if "self.leaf.run_remote" in line)


@pytest.mark.parametrize(
    ("takes", "call", "why"),
    [
        ("text: str, size: int", CALL, "without `size`"),
        ("text: str, *, size: int", CALL, "without `size`"),
        ("text: str", "self.leaf.run_remote(text, 1)", "with 2 arguments, and it takes 1"),
        ("words: str", "self.leaf.run_remote(text=text)", "with `text`, which it does not take"),
        ("text: str", "self.leaf.run_remote()", "without `text`"),
    ],
)
def test_what_does_not_fit_is_told(takes: str, call: str, why: str) -> None:
    """A parameter that came, went or has another name."""
    assert found(takes, call) == [why]


@pytest.mark.parametrize(
    ("takes", "call"),
    [
        ("text: str", CALL),
        ("text: str, size: int = 1", CALL),
        ("text: str, *, size: int = 1", CALL),
        ("text: str, size: int", "self.leaf.run_remote(text, size=1)"),
        ("text: str, size: int", "self.leaf.run_remote(*text)"),
        ("text: str, size: int", "self.leaf.run_remote(**text)"),
        ("text: str, size: int", "self.other.run_remote(text)"),
    ],
)
def test_what_fits_or_can_not_be_known_is_not(takes: str, call: str) -> None:
    """Arguments that are not written out, and stubs that are not plainly one's own."""
    text = CHAIN.replace(TAKES, TAKES.replace("text: str", takes)).replace(CALL, call)
    assert unfit_calls(graph(), {FILE: ast.parse(text)}) == ()


def test_a_file_that_is_not_there_says_nothing() -> None:
    """Neither does a class that is not."""
    assert unfit_calls(graph(), {}) == ()
    assert unfit_calls(graph(), {FILE: ast.parse("x = 1")}) == ()


def test_the_place_is_that_of_the_call() -> None:
    """With the file of the caller."""
    text = CHAIN.replace(CALL, "self.leaf.run_remote()")
    (call,) = unfit_calls(graph(), {FILE: ast.parse(text)})
    assert call == UnfitCall(FILE, 19, "`Root` calls `Leaf.run_remote` without `text`")
