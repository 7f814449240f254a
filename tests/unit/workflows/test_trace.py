"""Spans gathered from the services of a chain, of which some do not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ObservedService, ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, UsageError
from chainctl.workflows.seen_span import CLIENT, SERVER, spans_in
from chainctl.workflows.trace import MOST_SPANS, gather, last_traces, trace_of_call, wanted_trace
from tests.fakes.spans import MS, TRACE, answer, example, span
from tests.fakes.target import MemoryTarget

ALL = f"/-/spans?limit={MOST_SPANS}"
ONE = f"/-/spans?trace={TRACE}&limit={MOST_SPANS}"
OTHER = TRACE[:8] + "0" * 24


def service(name: str) -> ObservedService:
    """One that runs."""
    return ObservedService(f"demo-{name}", name, ServiceStatus.RUNNING, Fingerprint("i", "c", "c"), "image")


@pytest.fixture
def target() -> MemoryTarget:
    """Two services that tell of one call, one that is stopped, and one that is too old to tell."""
    made = MemoryTarget()
    stopped = replace(service("gone"), status=ServiceStatus.STOPPED)
    made.put(ObservedState("demo", (service("top"), service("left"), service("old"), stopped)))
    calls = example()
    other = replace(span(SERVER, 99, 0, "Top", 1000, 3, request_id="r2"), trace_id=OTHER)
    for path, more in ((ALL, [other]), (ONE, [])):
        made.answers["demo-top", path] = answer([*more, *(c for c in calls if c.chainlet == "Top")], "Top")
        made.answers["demo-left", path] = answer([c for c in calls if c.chainlet == "Left"], "Left")
    return made


def test_all_running_services_are_asked(target: MemoryTarget) -> None:
    """What one cannot tell is said, and the others' spans are there."""
    told = gather(target, "demo")
    assert len(told.spans) == 6
    assert {s.service for s in told.spans} == {"demo-top", "demo-left"}
    (why,) = told.silent
    assert why.startswith("demo-old answered what cannot be understood")


def test_nobody_to_ask(target: MemoryTarget) -> None:
    """A chain that is not there, and one of which nobody can tell."""
    with pytest.raises(UsageError, match="no service of nothing"):
        gather(target, "nothing")
    target.put(ObservedState("old", (service("old"),)))
    with pytest.raises(ChainctlError, match="cannot be understood"):
        gather(target, "old")


@pytest.mark.parametrize("wanted", [TRACE, TRACE.upper(), TRACE[:10], "r1"])
def test_a_trace_is_found(target: MemoryTarget, wanted: str) -> None:
    """By its id, by the beginning of that, and by its request."""
    told = wanted_trace(target, "demo", wanted)
    assert {s.trace_id for s in told.spans} == {TRACE}
    assert len(told.spans) == 5


@pytest.mark.parametrize(
    ("wanted", "why"), [(TRACE[:8], "2 traces"), ("zz", "no service"), ("e" * 32, "answered")]
)
def test_a_trace_that_is_not_one(target: MemoryTarget, wanted: str, why: str) -> None:
    """Two begin so, or none does."""
    with pytest.raises(ChainctlError, match=why):
        wanted_trace(target, "demo", wanted)


def test_the_last_traces(target: MemoryTarget) -> None:
    """Newest first; hops are the calls that the chain's services answered."""
    listed = last_traces(gather(target, "demo").spans, 5)
    assert [(one.trace_id, one.hops, one.root.name) for one in listed] == [
        (OTHER, 1, "Top"),
        (TRACE, 2, "Top"),
    ]
    assert last_traces(gather(target, "demo").spans, 1) == listed[:1]


def test_a_call_is_waited_for(target: MemoryTarget) -> None:
    """A service notes a call only after it has answered it."""
    asked: list[str] = []

    class Late(MemoryTarget):
        def ask(self, chain: str, service: str, path: str) -> bytes:
            asked.append(path)
            found = example()[1:2] if len(asked) > 2 else []
            return answer(found, "Top")

    late = Late()
    late.put(ObservedState("demo", (service("top"),)))
    call = span(CLIENT, 1, 0, "Top", 0, 100)
    told = trace_of_call(late, "demo", call)
    assert [s.kind for s in told.spans] == [CLIENT, SERVER]
    assert asked == [ONE] * 3
    assert len(trace_of_call(late, "demo", replace(call, span_id="0"), within_sec=0.01).spans) == 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"spans":1}', b'{"spans":[1]}', b'{"spans":[{"total_ns":1}]}']
)
def test_answers_that_are_none(body: bytes) -> None:
    """A stranger on that path is told apart."""
    with pytest.raises(ValueError, match="valid"):
        spans_in(body)


def test_keys_that_are_not_known_are_left_alone() -> None:
    """A later release may tell more."""
    (told,) = spans_in(
        answer([span(SERVER, 1, 0, "A", 0, 1)], "A", more=1).replace(b'"kind"', b'"new": 1, "kind"')
    )
    assert (told.chainlet, told.total_ns) == ("A", MS)


def test_times_below_zero_are_none() -> None:
    """A clock may be set back in the middle of a call."""
    (told,) = spans_in(answer([replace(span(SERVER, 1, 0, "A", 0, 1), total_ns=-5)], "A"))
    assert told.total_ns == 0
