"""Where the time of requests went, from spans like those that services tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainctl.workflows.bench.hops import CALLS, DECODE, ENCODE, HOP_PARTS, WIRE, Hops, hop_parts, hops_of
from chainctl.workflows.bench.outcome import Sent
from chainctl.workflows.call_parts import COMPUTE, QUEUE
from chainctl.workflows.call_tree import CallNode, call_trees
from chainctl.workflows.seen_span import CLIENT, SERVER, SeenSpan
from chainctl.workflows.trace import MOST_SPANS
from tests.fakes.spans import MS, START, TRACE, example, span

REQUEST = Sent(TRACE, f"{1:016x}", START, 100 * MS, 200)
TOLD = example()[1:]


def in_ms(hops: Hops) -> dict[str, dict[str, float]]:
    """The parts of each hop that are there, in milliseconds, by its name and its caller's."""
    return {
        hop.name if hop.caller is None else f"{hop.caller}>{hop.name}": {
            part: ns / MS for part, ns in hop.parts.items() if ns
        }
        for hop in hops.hops
    }


def test_a_request_is_cut_into_hops() -> None:
    """Callers first; of edges, "calls" is the time in which the callee had the call."""
    assert in_ms(hops_of(TOLD, [REQUEST])) == {
        ">Top": {WIRE: 4, CALLS: 96},
        "Top": {DECODE: 1, QUEUE: 5, COMPUTE: 19, ENCODE: 1, CALLS: 70},
        "Top>Left": {DECODE: 1, ENCODE: 1, WIRE: 3, CALLS: 15},
        "Left": {COMPUTE: 15},
        "Top>Right": {QUEUE: 10, ENCODE: 2, WIRE: 8, CALLS: 30},
        "Right": {QUEUE: 4, COMPUTE: 26},
        "Top>Stranger": {WIRE: 2, CALLS: 18},
    }


def test_a_place_is_held_without_the_queues_below() -> None:
    """Top runs for 88 ms, of which the path that it waits for queues 10 ms before Right and 4 ms in it."""
    places = {hop.name: hop.place_ns / MS for hop in hops_of(TOLD, [REQUEST]).hops if not hop.is_edge}
    assert places == {"Top": 74, "Left": 15, "Right": 26}


def test_means_are_over_calls() -> None:
    """A second request that calls Left only once more halves what the others are per request."""
    trace = "e" * 32
    root = Sent(trace, f"{11:016x}", START + 1000 * MS, 50 * MS, 200)
    more = [
        span(SERVER, 12, 11, "Top", 1000, 40, run_ms=40),
        span(CLIENT, 13, 12, "Left", 1000, 30),
        span(SERVER, 14, 13, "Left", 1000, 25, run_ms=25),
    ]
    hops = hops_of([*TOLD, *(replace(one, trace_id=trace) for one in more)], [REQUEST, root])
    assert hops.requests == 2
    rates = {hop.name: (hop.per_request, hop.total_ns / MS) for hop in hops.hops if not hop.is_edge}
    assert rates == {"Top": (1, 68), "Left": (1, 20), "Right": (0.5, 30)}


def test_requests_of_others_and_failed_ones_are_left_out() -> None:
    """Only what was sent and answered well is summed up."""
    assert hops_of(TOLD, [replace(REQUEST, status=503)]) == Hops((), 0)
    assert hops_of(TOLD, [replace(REQUEST, trace_id="f" * 32)]) == Hops((), 0)
    assert hops_of([], [REQUEST]) == Hops((), 0)


def test_traces_that_may_have_lost_spans_are_left_out() -> None:
    """A full store has forgotten what ended before its oldest span."""

    def filled(count: int, ended_ms: float) -> list[SeenSpan]:
        return [
            replace(span(SERVER, 1000 + n, 0, "Left", ended_ms - 1, 1), trace_id="f" * 32, service="left")
            for n in range(count)
        ]

    assert hops_of([*TOLD, *filled(MOST_SPANS, 10)], [REQUEST]).requests == 0
    assert hops_of([*TOLD, *filled(MOST_SPANS, 0)], [REQUEST]).requests == 1
    assert hops_of([*TOLD, *filled(MOST_SPANS - 1, 10)], [REQUEST]).requests == 1


def test_a_stream_computes_until_its_end() -> None:
    """Its span knows no time of user code, but items."""
    (node,) = call_trees([span(SERVER, 1, 0, "A", 0, 50, queue_ms=5, items=3)])
    assert hop_parts(node) == {QUEUE: 5 * MS, DECODE: 0, ENCODE: 0, COMPUTE: 45 * MS, CALLS: 0, WIRE: 0}


@pytest.mark.parametrize(
    "node", [n for tree in call_trees(example()) for n in tree.walk()], ids=lambda n: n.span.name
)
def test_parts_add_up(node: CallNode) -> None:
    """Whatever is known of a call, its parts are all of its time."""
    parts = hop_parts(node)
    assert set(parts) == set(HOP_PARTS)
    assert sum(parts.values()) == node.span.total_ns
    assert min(parts.values()) >= 0


def test_parts_that_are_more_than_the_whole_are_cut() -> None:
    """Clocks may disagree."""
    (node,) = call_trees([span(SERVER, 1, 0, "A", 0, 10, queue_ms=8, decode_ms=8, run_ms=8)])
    assert sum(hop_parts(node).values()) == 10 * MS
