"""Whose deadlines do not hold while a chainlet is debugged."""

from __future__ import annotations

from chainctl.workflows.unbounded import NEVER_SEC, patient, unbounded_calls
from tests.fakes.chains import graph_of, release_of

GRAPH = graph_of(
    {"Front": ["A", "B"], "A": ["Deep", "Other"], "B": [], "Deep": ["Low"], "Low": [], "Other": []}
)


def test_calls_that_pass_through_it_have_no_limits() -> None:
    """Those on the way to it, and its own; the others of its callers keep theirs."""
    assert unbounded_calls(GRAPH, ["Deep"]) == {"Front": ("A",), "A": ("Deep",), "Deep": ("Low",)}


def test_several_are_debugged_at_once() -> None:
    """The limits that any of them holds up do not hold."""
    assert unbounded_calls(GRAPH, ["Deep", "B"]) == {
        "Front": ("A", "B"), "A": ("Deep",), "B": (), "Deep": ("Low",),
    }  # fmt: skip


def test_nobody_is_debugged() -> None:
    """All limits hold."""
    assert unbounded_calls(GRAPH, []) == {}


def test_patience_changes_no_name() -> None:
    """Those that wait for a debugger may take as long as they like to start."""
    release = release_of(GRAPH)
    found = patient(release, ["Deep"])
    assert [s.name for s in found.services] == [s.name for s in release.services]
    assert {s.chainlet for s in found.services if s.start_timeout_sec == NEVER_SEC} == {"Deep"}
