"""Reports of loads as people and as programs read them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import replace

from chainctl.cli.bench_json import report_json
from chainctl.cli.bench_text import report_text
from chainctl.cli.output import json_text
from chainctl.workflows.bench.assertion import parse_assertion
from chainctl.workflows.bench.bench import Report, report_of
from chainctl.workflows.bench.capacity import Means
from chainctl.workflows.bench.hops import Hops
from chainctl.workflows.bench.outcome import Failure, Outcome, Sent
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.verdict import judge
from tests.fakes.spans import MS, START, TRACE, example

PLAN = LoadPlan("http://127.0.0.1:8100", (b"{}",))
LATENCIES = array("q", [n * n * 40 for n in range(50, 1050)])
OUTCOME = Outcome(
    LATENCIES,
    array("q", [ns // 2 for ns in LATENCIES]),
    {Failure(503, "overloaded"): 12, Failure(0, "timeout"): 2, Failure(500, "user"): 2},
    (Sent(TRACE, f"{1:016x}", START, 100 * MS, 200),),
    seconds=10.0,
    rate=101.6,
)
MEANS = {"Top": Means(1, 0, 0.0005), "Left": Means(1, 1, 0.001), "Right": Means(2, 1, 0.020)}
TEXTS = ("p99<2s", "p50<=10ms", "errors<1%", "rate>=100/s")


def report(**changes: object) -> Report:
    """A chain with three chainlets, one of which can do no more."""
    return report_of(replace(PLAN, **changes), OUTCOME, example()[1:], MEANS, ("demo-old did not answer",))  # type: ignore[arg-type]  # fields of the plan


def test_a_report(golden: Callable[[str, str], None]) -> None:
    """Result, hops, bottleneck, advice, assertions, and what is not known."""
    verdicts = judge(map(parse_assertion, TEXTS), OUTCOME)
    golden("bench/report.txt", report_text(report(), "demo", verdicts))


def test_a_report_for_programs(golden: Callable[[str, str], None]) -> None:
    """The same as one JSON object, with versions."""
    verdicts = judge(map(parse_assertion, TEXTS), OUTCOME)
    text = json_text(report_json(report(rate=80.0), "demo", verdicts))
    golden("bench/report.json", text)
    assert json.loads(text)["schema_version"] == 1


def test_a_report_of_an_address(golden: Callable[[str, str], None]) -> None:
    """An open loop on a URL, interrupted, of a load generator that had no time left."""
    outcome = replace(OUTCOME, failures={}, is_cut=True, cpu_share=0.97)
    shown = Report(replace(PLAN, rate=200.0), outcome, Hops((), 0))
    golden("bench/address.txt", report_text(shown, PLAN.url))
    assert report_json(shown, PLAN.url)["bottleneck"] is None


def test_a_report_of_nothing(golden: Callable[[str, str], None]) -> None:
    """Interrupted before anything was measured."""
    outcome = Outcome(array("q"), array("q"), {}, (), 0.0, 0.0, is_cut=True)
    verdicts = judge(map(parse_assertion, TEXTS), outcome)
    shown = report_of(PLAN, outcome, [], {})
    golden("bench/nothing.txt", report_text(shown, "demo", verdicts))
    assert report_json(shown, "demo")["result"]["latency_ms"] is None


def test_a_chain_that_is_not_busy() -> None:
    """No bottleneck is claimed; where most time went is said instead."""
    means = {"Top": Means(1, 0, 0.0005)}
    text = report_text(report_of(PLAN, OUTCOME, example()[1:2], means), "demo")
    assert "no chainlet is a bottleneck; busiest is Top: 5% of 1 core is in use" in text
    assert "most time is compute of Top: 88.0 ms a request" in text
    assert "= replicas 1, as it is" in text
