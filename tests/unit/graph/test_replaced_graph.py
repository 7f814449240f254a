"""What is still to be run when some chainlets are replaced."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chainctl.graph.replace import above, replaced_graph
from tests.fakes.chains import chainlet, graph_of

CALLS = {"Front": ["A", "B"], "A": ["Deep", "Shared"], "B": ["Shared"], "Deep": [], "Shared": []}
GRAPH = graph_of(CALLS)


def names(calls: object) -> list[str]:
    return [spec.name for spec in replaced_graph(GRAPH, *calls).chainlets]  # type: ignore[misc]  # two lists


def test_nothing_replaced_is_the_graph_itself() -> None:
    """The values are equal."""
    assert replaced_graph(GRAPH, [], []) == GRAPH


def test_what_runs_elsewhere_goes_with_what_only_it_calls() -> None:
    """What others call, too, stays."""
    assert names((["A"], [])) == ["B", "Front", "Shared"]
    assert names((["A", "B"], [])) == ["Front"]


def test_a_fake_takes_the_place_and_calls_nobody() -> None:
    """Its callers call it as before."""
    fake = replace(chainlet("A"), class_name="FakeA", module="fakes")
    found = replaced_graph(GRAPH, [], [fake])
    assert found.chainlet("A") == fake
    assert [spec.name for spec in found.chainlets] == ["A", "B", "Front", "Shared"]
    assert [(edge.caller, edge.callee) for edge in found.edges] == [
        ("B", "Shared"), ("Front", "A"), ("Front", "B"),
    ]  # fmt: skip


def test_a_fake_entrypoint_is_all_that_is_left() -> None:
    """There is nobody whom it calls."""
    assert [s.name for s in replaced_graph(GRAPH, [], [chainlet("Front")]).chainlets] == ["Front"]


def test_above_is_who_waits_for_it() -> None:
    """A chainlet, and all that call it over any number of hops."""
    assert above(GRAPH, "Deep") == {"Deep", "A", "Front"}
    assert above(GRAPH, "Shared") == {"Shared", "A", "B", "Front"}
    assert above(GRAPH, "Front") == {"Front"}


@given(st.sets(st.sampled_from(["A", "B", "Deep", "Shared"])), st.sets(st.sampled_from(sorted(CALLS))))
def test_what_is_left_is_whole(outside: set[str], faked: set[str]) -> None:
    """Every edge is between chainlets that are there, and all of these are reached from the entrypoint."""
    found = replaced_graph(GRAPH, outside, [chainlet(name) for name in faked - outside])
    left = {spec.name for spec in found.chainlets}
    assert not left & outside
    reached = {found.entrypoint, *(edge.callee for edge in found.edges)}
    assert left == reached
    assert {edge.caller for edge in found.edges} <= left - (faked - outside)
