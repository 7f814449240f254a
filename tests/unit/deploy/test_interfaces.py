"""What a new release changes for its callers, as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from chainctl.deploy.interfaces import (
    Interface,
    InterfaceChange,
    InterfaceReport,
    Interfaces,
    interface_changes,
    report_lines,
)
from tests.unit.deploy.test_schema_gaps import INT, NULL, NUM, STR, either, obj


def interfaces(inputs: Any, outputs: Any = STR, **kind: bool) -> Interfaces:
    """A release of one chainlet."""
    return Interfaces("Top", (Interface("Top", inputs, outputs, **kind),))


def told(old: Interfaces, new: Interfaces) -> list[tuple[str, bool]]:
    return [(change.text, change.is_breaking) for change in interface_changes(old, new).changes]


A = obj("a", a=INT, closed=True)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (A, A, []),
        (A, obj("a", "b", a=INT, b=STR, closed=True), [("`b` is new and required", True)]),
        (A, obj("a", a=INT, b=STR, closed=True), [("`b` is new and optional", False)]),
        (obj(a=INT, closed=True), A, [("`a` is required now", True)]),
        (A, obj(a=INT, closed=True), [("`a` is optional now", False)]),
        (obj("a", a=INT, b=STR, closed=True), A, [("`b` is no longer taken", True)]),
        (A, obj("a", a=STR, closed=True), [("`a` takes string only, not integer", True)]),
        (A, obj("a", a=NUM, closed=True), [("`a` takes more: number, before integer", False)]),
        (
            obj("a", a={"enum": ["x", "y"]}, closed=True),
            obj("a", a={"enum": ["x"]}, closed=True),
            [('`a` no longer takes "y"', True)],
        ),
        (
            A,
            obj("a", a={**INT, "minimum": 1}, closed=True),
            [("`a` is bounded closer: minimum 1, before no bound", True)],
        ),
        (
            A,
            obj("b", b=INT, closed=True),
            [("`b` is new and required", True), ("`a` is no longer taken", True)],
        ),
    ],
)
def test_changes_of_arguments(old: Any, new: Any, expected: list[tuple[str, bool]]) -> None:
    """Whatever callers send today must still be taken."""
    assert told(interfaces(old), interfaces(new)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (STR, either(STR, NULL), [("the answer may be null, before string", True)]),
        (either(STR, NULL), STR, [("the answer is narrower: string, before null", False)]),
        (obj("a", a=INT), obj("a", "b", a=INT, b=INT), [("`b` of the answer is new", False)]),
        (obj("a", "b", a=INT, b=INT), obj("a", a=INT), [("`b` of the answer is gone", True)]),
        (obj("a", a=INT), obj(a=INT), [("`a` of the answer may be missing", True)]),
        (obj(a=INT), obj("a", a=INT), [("`a` of the answer is always there now", False)]),
        ({"enum": ["x"]}, {"enum": ["x", "y"]}, [('the answer may be "y"', True)]),
    ],
)
def test_changes_of_answers(old: Any, new: Any, expected: list[tuple[str, bool]]) -> None:
    """Whatever callers can read today is what they must still get."""
    assert told(interfaces(A, old), interfaces(A, new)) == expected


def test_another_kind_of_call_is_breaking() -> None:
    """Whatever the types of it."""
    assert told(interfaces(A), interfaces(A, is_stream=True)) == [("the answer is now a stream", True)]
    assert told(interfaces(A, is_websocket=True), interfaces(A)) == [("calls are no longer WebSockets", True)]
    stream = interfaces(A, takes_stream=True)
    assert told(stream, interfaces(A)) == [("the argument is no longer a stream", True)]


def test_edges_are_compared_where_both_releases_have_them() -> None:
    """The front door first; a chainlet that is called otherwise by two callers is told for each."""

    def release(leaf: Any, *edges: tuple[str, str]) -> Interfaces:
        return Interfaces("Top", (Interface("Top", A, STR), Interface("Leaf", leaf, STR)), edges)

    old = release(A, ("Top", "Leaf"), ("Mid", "Leaf"), ("Gone", "Leaf"))
    new = release(obj("a", a=STR, closed=True), ("Top", "Leaf"), ("Mid", "Leaf"), ("New", "Leaf"))
    assert [change.where for change in interface_changes(old, new).changes] == ["Mid → Leaf", "Top → Leaf"]


def test_a_new_entrypoint_is_compared_with_the_old_one() -> None:
    """Callers see the door, not the class behind it."""
    old = Interfaces("One", (Interface("One", A, STR),))
    new = Interfaces("Two", (Interface("Two", obj("a", a=STR, closed=True), STR),))
    assert interface_changes(old, new).is_breaking


def test_what_is_not_on_record_is_said_to_be_unknown() -> None:
    """Never guessed."""
    report = interface_changes(Interfaces(), interfaces(A))
    assert report == InterfaceReport(is_known=False)
    assert report_lines(report) == [
        "? interfaces: the last release has none on record, so they were not compared"
    ]


def test_a_report_for_people() -> None:
    changes = (InterfaceChange("front door", "`b` is new and required", True),
               InterfaceChange("Top → Leaf", "`b` is new and optional", False))  # fmt: skip
    assert report_lines(InterfaceReport(changes)) == [
        "! breaking: front door: `b` is new and required",
        "~ interface: Top → Leaf: `b` is new and optional",
    ]
