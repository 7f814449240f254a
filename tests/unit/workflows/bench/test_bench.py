"""A whole run against a chain in memory: who is asked what, and what the report puts together."""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ObservedService, ObservedState, ServiceStatus
from chainctl.errors import CallFailedError
from chainctl.events import Emit, Event, Notice
from chainctl.workflows.bench.assertion import parse_assertion
from chainctl.workflows.bench.bench import bench, means_of
from chainctl.workflows.bench.capacity import Means
from chainctl.workflows.bench.outcome import Failure, Outcome, Sent, Tally, outcome_of
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.run import run_load
from chainctl.workflows.bench.verdict import judge
from chainctl.workflows.metrics_reading import CallCounts, Reading
from chainctl.workflows.top import METRICS, Sight
from chainctl.workflows.trace import MOST_SPANS
from tests.fakes.spans import MS, START, TRACE, answer, example
from tests.fakes.target import MemoryTarget
from tests.unit.workflows.bench.one_answer import ErrorServer, served

SPANS = f"/-/spans?limit={MOST_SPANS}"
REQUEST = Sent(TRACE, f"{1:016x}", START, 100 * MS, 200)
OUTCOME = Outcome(array("q", [100 * MS]), array("q", [100 * MS]), {}, (REQUEST,), 10.0, 50.0)


@pytest.fixture
def url() -> Iterator[str]:
    """A chain that answers."""
    with served() as found:
        yield found


def target(metrics: Callable[[], bytes]) -> MemoryTarget:
    """One service that tells of one request, and has metrics."""

    class Chain(MemoryTarget):
        def ask(self, chain: str, service: str, path: str) -> bytes:
            return metrics() if path == METRICS else answer(example()[1:], "Top")

    chain = Chain()
    running = ObservedService("top", "Top", ServiceStatus.RUNNING, Fingerprint("i", "c", "c"), "image")
    chain.put(ObservedState("demo", (running,)))
    return chain


def metrics_text(calls: int, cpu_sec: float, limit: int) -> bytes:
    """What a service of ours would write, as far as it matters."""
    return (
        f"chainctl_call_duration_seconds_count {calls}\n"
        f"process_cpu_seconds_total {cpu_sec}\n"
        f"chainctl_calls_limit {limit}\n"
    ).encode()


def test_a_run(url: str) -> None:
    """What was measured, what services told, what they used, and what twice the rate would need."""
    texts = iter([metrics_text(100, 1.0, 4), metrics_text(300, 3.0, 4)])
    plan = LoadPlan(url, (b"{}",))
    report = bench(plan, "demo", target(lambda: next(texts)), lambda _event: None, lambda *_: OUTCOME)
    assert (report.hops.requests, report.target_rate, report.silent) == (1, 100.0, ())
    top = report.usages[0]
    assert (top.chainlet, top.means) == ("Top", Means(1, 4, 0.01))
    assert top.limits == {"places": 0.925, "cpu": 0.5}
    assert report.advice[0].rate == 100


def test_an_asked_rate_is_what_advice_is_for(url: str) -> None:
    """Even if it was not reached."""
    plan = LoadPlan(url, (b"{}",), rate=75)
    report = bench(
        plan, "demo", target(lambda: metrics_text(1, 1, 1)), lambda _event: None, lambda *_: OUTCOME
    )
    assert (report.target_rate, report.advice[0].rate) == (75, 75)


def test_a_chain_whose_services_tell_nothing_is_still_measured(url: str) -> None:
    """What is not known is said once."""
    plan = LoadPlan(url, (b"{}",))
    report = bench(plan, "gone", MemoryTarget(), lambda _event: None, lambda *_: OUTCOME)
    assert (report.outcome, report.hops.hops, report.advice) == (OUTCOME, (), ())
    assert report.silent == ("no service of gone is running",)
    assert bench(plan, url, None, lambda _event: None, lambda *_: OUTCOME).silent == ()


def test_nothing_is_loaded_that_does_not_answer_one_call() -> None:
    """A wrong argument is told as `call` tells it, after three attempts."""
    loads: list[LoadPlan] = []

    def load(plan: LoadPlan, _emit: Emit) -> Outcome:
        loads.append(plan)
        return OUTCOME

    with served(ErrorServer) as url, pytest.raises(CallFailedError, match="answered 422: wrong"):
        bench(LoadPlan(url, (b"{}",)), "demo", None, lambda _event: None, load)
    assert loads == []


def sight(**readings: Reading) -> Sight:
    """Services that are of the chainlets whose names are theirs without the number."""
    return Sight(0.0, readings, {name: name.rstrip("0123456789") for name in readings}, ())


def reading(calls: float, cpu_sec: float, limit: float) -> Reading:
    return Reading(CallCounts(calls), {}, limit=limit, cpu_sec=cpu_sec)


def test_replicas_are_the_services_that_were_called() -> None:
    """CPU time is per call, over all of them; the bound of the runtime itself is none."""
    before = sight(a1=reading(0, 1, 2), a2=reading(0, 1, 2), a3=reading(5, 1, 2), b=reading(0, 0, 4096))
    after = sight(a1=reading(10, 2, 2), a2=reading(30, 2, 2), a3=reading(5, 9, 2), b=reading(1, 0, 4096))
    assert means_of(before, after) == {"a": Means(2, 2, 0.05), "b": Means(1, 0, None)}
    assert means_of(None, after)["a"] == Means(3, 2, None)
    assert means_of(before, None) == {}


def test_tallies() -> None:
    """Latencies of answers that are no errors, failures by status and kind."""
    tally = Tally()
    tally.add(REQUEST, "ok", 5)
    tally.add(replace(REQUEST, total_ns=1), "ok", 0)
    tally.add(replace(REQUEST, status=503), "overloaded", 0)
    tally.add(replace(REQUEST, status=0), "timeout", 0)
    tally.in_window = 3
    outcome = outcome_of(tally, 1.5)
    assert list(outcome.latencies_ns) == [1, 100 * MS + 5]
    assert list(outcome.services_ns) == [1, 100 * MS]
    assert outcome.failures == {Failure(503, "overloaded"): 1, Failure(0, "timeout"): 1}
    assert (outcome.requests, outcome.error_share, outcome.rate, len(outcome.last)) == (4, 0.5, 2, 3)
    assert (outcome_of(Tally(), 0).rate, outcome_of(Tally(), 0).error_share) == (0, 0)


def test_verdicts() -> None:
    """Each metric is held against its bound; what was not measured keeps none."""
    outcome = replace(OUTCOME, failures={Failure(500, "user"): 3})
    texts = ["p99<=100ms", "max<100ms", "mean<1s", "rate>=50/s", "errors<75%", "errors<=3"]
    verdicts = judge([parse_assertion(text) for text in texts], outcome)
    assert [v.value for v in verdicts] == [100 * MS, 100 * MS, 100 * MS, 50, 0.75, 3]
    assert [v.is_kept for v in verdicts] == [True, False, True, True, False, True]
    nothing = outcome_of(Tally(), 0)
    assert [
        v.value for v in judge([parse_assertion(t) for t in ("p50<1s", "errors<1%", "rate>1/s")], nothing)
    ] == [
        None,
        None,
        0,
    ]


def test_a_load_in_a_loop_of_its_own(url: str) -> None:
    """What it does is said before it does it; signals are handled as before afterwards."""
    told: list[Event] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = run_load(LoadPlan(url, (b"{}",), clients=1, requests=3, warmup_sec=0), told.append)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert outcome.requests == 3
    assert told == [Notice(f"loading {url}: 1 client, 0 s to warm up, then 3 requests or 10 s")]
