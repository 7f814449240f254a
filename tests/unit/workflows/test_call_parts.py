"""Trees of calls, the parts of their times, and what made them as long as they were."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chainctl.workflows.call_parts import critical_path, own_parts, pieces
from chainctl.workflows.call_tree import CallNode, call_trees
from chainctl.workflows.seen_span import CLIENT, SERVER, SeenSpan
from tests.fakes.spans import MS, START, example, span

TIMES = st.integers(0, 1000)


@st.composite
def forests(draw: st.DrawFn) -> list[SeenSpan]:
    """Any spans at all: parents that are missing, circles, times that do not fit each other."""
    count = draw(st.integers(1, 8))
    return [
        SeenSpan(
            trace_id="t",
            span_id=str(number),
            parent_id=draw(st.sampled_from(["", *map(str, range(count + 1))])),
            name="A",
            kind=draw(st.sampled_from([CLIENT, SERVER])),
            start_ns=draw(TIMES),
            total_ns=draw(TIMES),
            queue_ns=draw(TIMES),
            decode_ns=draw(TIMES),
            run_ns=draw(TIMES),
            first_byte_ns=draw(TIMES),
            encode_ns=draw(TIMES),
        )
        for number in range(count)
    ]


@given(forests())
def test_any_spans_make_trees(spans: list[SeenSpan]) -> None:
    """No span is in two places, and none is lost but those in circles of their own."""
    nodes = [node.span.span_id for tree in call_trees(spans) for node in tree.walk()]
    assert len(nodes) == len(set(nodes))
    assert {s.span_id for s in spans if s.parent_id in ("", str(len(spans)))} <= set(nodes)


@given(forests())
def test_the_critical_path_is_as_long_as_the_call(spans: list[SeenSpan]) -> None:
    """Whatever services told, the parts add up, and none is negative."""
    for tree in call_trees(spans):
        path = critical_path(tree)
        assert sum(step.ns for step in path) == tree.span.total_ns
        assert all(step.ns > 0 for step in path)


@given(forests())
def test_own_parts_are_within_the_call(spans: list[SeenSpan]) -> None:
    """They and the calls that a call made are no longer than it was."""
    for tree in call_trees(spans):
        for node in tree.walk():
            assert sum(own_parts(node).values()) <= node.span.total_ns
            assert all(piece.start_ns >= node.span.start_ns or piece.part == "wait" for piece in pieces(node))


def nodes_of(spans: list[SeenSpan]) -> dict[str, CallNode]:
    """Every node by the kind and name of its span."""
    return {f"{n.span.kind} {n.span.name}": n for tree in call_trees(spans) for n in tree.walk()}


def test_the_parts_of_calls() -> None:
    """A server computes while no call of its own runs; a client's rest is the wire's or the callee's."""
    nodes = nodes_of(example())
    assert {name: in_ms(own_parts(node)) for name, node in nodes.items()} == {
        "client Top": {"wire": 4},
        "server Top": {"queue": 5, "serialise": 2, "compute": 19},
        "client Left": {"serialise": 2, "wire": 3},
        "server Left": {"compute": 15},
        "client Right": {"queue": 10, "serialise": 2, "wire": 8},
        "server Right": {"queue": 4, "compute": 26},
        "client Stranger": {"first byte": 12, "read": 6, "wire": 2},
    }


def test_the_critical_path_goes_by_what_ended_last() -> None:
    """Left ran beside Right and was done earlier: it made nothing longer."""
    (tree,) = call_trees(example())
    path = critical_path(tree)
    names = list(dict.fromkeys(step.node.span.name for step in path))
    assert names == ["Top", "Right", "Stranger"]
    sums: Counter[str] = Counter()
    for step in path:
        sums[step.part] += step.ns
    assert in_ms(sums) == {
        "wire": 14,
        "queue": 19,
        "serialise": 4,
        "compute": 45,
        "first byte": 12,
        "read": 6,
    }


def test_a_clock_that_is_off_is_set_right() -> None:
    """A server's span lies in the middle of its client's, with all below it."""
    below = span(CLIENT, 8, 6, "Deep", 90_010, 5)
    nodes = nodes_of([*example(), below])
    assert nodes["server Right"].span.start_ns == START + 20 * MS
    assert nodes["client Deep"].span.start_ns == START + 30 * MS
    assert nodes["server Left"].span.start_ns == START + 12 * MS


def test_a_span_whose_caller_is_not_told_begins_a_tree() -> None:
    """The caller's service forgot it, or never was one of the chain's."""
    trees = call_trees(example()[1:])
    assert [tree.span.name for tree in trees] == ["Top"]
    lone = replace(example()[3], parent_id="f" * 16)
    assert len(call_trees([*example()[:3], lone])) == 2


def in_ms(parts: dict[str, int]) -> dict[str, float]:
    """Whole milliseconds of nanoseconds."""
    return {part: ns / MS for part, ns in parts.items()}
