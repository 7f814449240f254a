"""What is kept and counted of finished calls, and what whoever asks is told."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chainctl.server.seen import answer_seen
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry

MS = 1_000_000


def span(name: str = "Hello", kind: str = "server", trace_id: int = 1, **more: int | str) -> Span:
    """A finished call of 3 ms."""
    made = Span(name, kind, trace_id, span_id=7, request_id="r1", start_ns=10)
    made.total_ns, made.status = 3 * MS, 200
    for field, value in more.items():
        setattr(made, field, value)
    return made


def samples(telemetry: Telemetry) -> dict[str, float]:
    """Every sample of the metrics, by name and the labels that tell it apart."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(telemetry.metrics_text().decode()):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k not in ("chainlet", "service")}
            told = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
            found[f"{sample.name}{{{told}}}"] = sample.value
    return found


@pytest.fixture
def telemetry() -> Telemetry:
    """Of a service that has answered nothing yet."""
    return Telemetry("demo-hello", "Hello", capacity=8)


def test_the_last_spans_are_kept_newest_first(telemetry: Telemetry) -> None:
    """Older ones make room; memory is bounded."""
    for number in range(1, 20):
        telemetry.record(span(trace_id=number))
    assert [int(s["trace_id"], 16) for s in telemetry.spans()] == list(range(19, 11, -1))
    assert [int(s["trace_id"], 16) for s in telemetry.spans(limit=2)] == [19, 18]
    assert [s["trace_id"] for s in telemetry.spans(trace_id=15)] == [f"{15:032x}"]
    assert telemetry.spans(trace_id=1) == []


def test_a_span_as_json() -> None:
    """Every field is there, ids as W3C writes them; no parent is the empty text."""
    value = span(trace_id=255, parent_id=16, queue_ns=5, error="ValueError: no").as_json()
    assert (value["trace_id"], value["span_id"], value["parent_id"]) == (
        f"{255:032x}",
        f"{7:016x}",
        f"{16:016x}",
    )
    assert set(value) == set(Span.__slots__) - {"is_sampled"}
    assert span().as_json()["parent_id"] == ""


def test_calls_and_edges_are_counted(telemetry: Telemetry) -> None:
    """Durations fall into buckets; errors are told by class; attempts after the first are retries."""
    telemetry.record(span(queue_ns=MS, decode_ns=MS, run_ns=2 * MS, encode_ns=500_000, items=4))
    telemetry.record(span(status=503))
    telemetry.record(span("Other", "client", attempts=3))
    telemetry.record(span("Other", "client", status=0))
    seen = samples(telemetry)
    assert seen["chainctl_call_duration_seconds_count{}"] == 2
    assert seen["chainctl_call_duration_seconds_sum{}"] == pytest.approx(0.006)
    assert seen["chainctl_call_duration_seconds_bucket{le=0.002}"] == 0
    assert seen["chainctl_call_duration_seconds_bucket{le=0.003}"] == 2
    assert seen["chainctl_call_duration_seconds_bucket{le=+Inf}"] == 2
    assert seen["chainctl_call_queue_seconds_sum{}"] == pytest.approx(0.001)
    assert seen["chainctl_call_part_seconds_total{part=run}"] == pytest.approx(0.002)
    assert seen["chainctl_call_errors_total{class=5xx}"] == 1
    assert seen["chainctl_call_items_total{}"] == 4
    assert seen["chainctl_edge_duration_seconds_count{callee=Other}"] == 2
    assert seen["chainctl_edge_errors_total{callee=Other,class=none}"] == 1
    assert seen["chainctl_edge_retries_total{callee=Other}"] == 2
    assert seen["process_resident_memory_bytes{}"] > 0
    assert seen["process_open_fds{}"] > 0


def test_gauges_are_read_when_metrics_are(telemetry: Telemetry) -> None:
    """Their functions are called each time, and carry the labels of the service."""
    numbers = iter([3.0, 4.0])
    telemetry.gauge("chainctl_calls_in_flight", "Calls being run.", lambda: next(numbers))
    telemetry.counter("chainctl_spans_dropped_total", "Dropped spans.", lambda: 2)
    assert samples(telemetry)["chainctl_calls_in_flight{}"] == 3
    assert samples(telemetry)["chainctl_calls_in_flight{}"] == 4
    assert b'chainctl_spans_dropped_total{chainlet="Hello",service="demo-hello"} 2.0' in (
        _with_counter().metrics_text()
    )


def _with_counter() -> Telemetry:
    """One whose only reading is a counter."""
    made = Telemetry("demo-hello", "Hello")
    made.counter("chainctl_spans_dropped_total", "Dropped spans.", lambda: 2)
    return made


def test_names_without_end_share_one_count(telemetry: Telemetry) -> None:
    """The memory of counts is bounded too."""
    for number in range(300):
        telemetry.record(span(f"Callee{number}", "client"))
    seen = samples(telemetry)
    counts = {name: n for name, n in seen.items() if name.startswith("chainctl_edge_duration_seconds_count")}
    assert sum(counts.values()) == 300
    assert len(counts) == 257
    assert counts["chainctl_edge_duration_seconds_count{callee=(other)}"] == 44


def test_many_threads_record(telemetry: Telemetry) -> None:
    """No call is lost from the counts, while others read."""

    def record() -> None:
        for _ in range(500):
            telemetry.record(span())

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        telemetry.spans()
        telemetry.metrics_text()
    assert samples(telemetry)["chainctl_call_duration_seconds_count{}"] == 2000


def test_a_sink_is_given_every_span(telemetry: Telemetry) -> None:
    """It decides itself what it takes."""
    taken: list[Span] = []

    class Sink:
        def offer(self, span: Span) -> None:
            taken.append(span)

    telemetry.sink = Sink()
    made = span()
    telemetry.record(made)
    assert taken == [made]


def test_the_library_is_imported_when_metrics_are_read() -> None:
    """A service that nobody scrapes does not pay for it."""
    code = (
        "import sys; from chainctl.telemetry.telemetry import Telemetry; from chainctl.server import seen\n"
        "t = Telemetry('s', 'c'); before = 'prometheus_client' in sys.modules\n"
        "t.metrics_text(); print(before, 'prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_spans_are_answered_as_json(telemetry: Telemetry) -> None:
    """With the schema's version and who answers; the trace and the number can be chosen."""
    for number in (1, 2, 2):
        telemetry.record(span(trace_id=number))
    answer = answer_seen("/-/spans", "trace=2&limit=1", telemetry)
    assert answer is not None
    status, content_type, body = answer
    value = json.loads(body)
    assert (status, content_type) == (200, "application/json")
    assert (value["schema"], value["service"], value["chainlet"]) == (1, "demo-hello", "Hello")
    assert [s["trace_id"] for s in value["spans"]] == [f"{2:032x}"]


@pytest.mark.parametrize(
    "query", ["trace=xyz", "limit=-1", "limit=x", "trace=" + "1" * 33, "limit=" + "9" * 40]
)
def test_a_question_that_is_none_is_refused(telemetry: Telemetry, query: str) -> None:
    """With 400 and our error form."""
    answer = answer_seen("/-/spans", query, telemetry)
    assert answer is not None
    assert answer[0] == 400
    assert json.loads(answer[2])["error"]["kind"] == "malformed"


def test_metrics_are_answered_and_other_paths_are_not(telemetry: Telemetry) -> None:
    """Both paths of metrics give the same; the rest is for others."""
    for path in ("/metrics", "/-/metrics"):
        answer = answer_seen(path, "", telemetry)
        assert answer is not None
        assert answer[:2] == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answer_seen("/-/run_remote", "", telemetry) is None
