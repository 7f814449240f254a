"""Counts in; metrics in the text format of Prometheus out.

Only this file knows the library, and it is imported when metrics are read for the first time:
a service whose metrics nobody reads does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from chainctl.telemetry.counts import Counts, Reading
from chainctl.telemetry.tally import Histogram, Tally

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_NS_PER_SEC = 1e9
_PARTS = ("queue", "decode", "preprocess", "run", "postprocess", "encode")


def exposition(counts: Counts) -> Callable[[], bytes]:
    """Return the function that writes all metrics of a service, those of its process too."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Calls(counts))
    return lambda: bytes(generate_latest(registry))


class _Calls(Collector):
    """Turns tallies into metric families when they are asked for."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        yield from self._counts.read(self._families)
        for reading in list(self._counts.readings):
            yield _read(reading, self._counts.chainlet, self._counts.service)

    def _families(self, endpoints: dict[str, Tally], edges: dict[str, Tally]) -> list[Metric]:
        own = (self._counts.chainlet, self._counts.service)
        calls: _Tallies = [(own, tally) for tally in endpoints.values()]
        outgoing: _Tallies = [((*own, callee), tally) for callee, tally in edges.items()]
        return [*_of_calls(calls), *_of_edges(outgoing)]


_Tallies = list[tuple[tuple[str, ...], Tally]]
_OWN = ("chainlet", "service")
_EDGE = (*_OWN, "callee")


def _of_calls(tallies: _Tallies) -> Iterator[Metric]:
    duration = HistogramMetricFamily("chainctl_call_duration_seconds", "Time of answered calls.", labels=_OWN)
    queue = HistogramMetricFamily("chainctl_call_queue_seconds", "Wait of calls for a permit.", labels=_OWN)
    parts = CounterMetricFamily(
        "chainctl_call_part_seconds", "Where the time of calls went.", labels=(*_OWN, "part")
    )
    errors = CounterMetricFamily("chainctl_call_errors", "Calls that failed.", labels=(*_OWN, "class"))
    items = CounterMetricFamily("chainctl_call_items", "Items that streams sent.", labels=_OWN)
    for labels, tally in tallies:
        _add_histogram(duration, labels, tally.duration)
        _add_histogram(queue, labels, tally.queue)
        spent = (
            tally.queue.sum_ns,
            tally.decode_ns,
            tally.preprocess_ns,
            tally.run_ns,
            tally.postprocess_ns,
            tally.encode_ns,
        )
        for part, total_ns in zip(_PARTS, spent, strict=True):
            parts.add_metric((*labels, part), total_ns / _NS_PER_SEC)
        _add_errors(errors, labels, tally)
        items.add_metric(labels, tally.items)
    yield from (duration, queue, parts, errors, items)


def _of_edges(tallies: _Tallies) -> Iterator[Metric]:
    duration = HistogramMetricFamily(
        "chainctl_edge_duration_seconds", "Time of calls to another service.", labels=_EDGE
    )
    queue = HistogramMetricFamily(
        "chainctl_edge_queue_seconds", "Wait for a permit to call another service.", labels=_EDGE
    )
    errors = CounterMetricFamily(
        "chainctl_edge_errors", "Calls to another service that failed.", labels=(*_EDGE, "class")
    )
    retries = CounterMetricFamily(
        "chainctl_edge_retries", "Attempts after the first of calls to another service.", labels=_EDGE
    )
    for labels, tally in tallies:
        _add_histogram(duration, labels, tally.duration)
        _add_histogram(queue, labels, tally.queue)
        _add_errors(errors, labels, tally)
        retries.add_metric(labels, tally.retries)
    yield from (duration, queue, errors, retries)


def _add_histogram(family: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    reached = 0
    buckets: list[tuple[str, float]] = []
    bounds = (*(repr(bound / _NS_PER_SEC) for bound in histogram.bounds_ns), "+Inf")
    for bound, count in zip(bounds, histogram.counts, strict=True):
        reached += count
        buckets.append((bound, reached))
    family.add_metric(labels, buckets, histogram.sum_ns / _NS_PER_SEC)


def _add_errors(family: CounterMetricFamily, labels: tuple[str, ...], tally: Tally) -> None:
    for name, count in sorted(tally.errors.items()):
        family.add_metric((*labels, name), count)


def _read(reading: Reading, *labels: str) -> Metric:
    kind = CounterMetricFamily if reading.kind == "counter" else GaugeMetricFamily
    family = kind(reading.name, reading.doc, labels=_OWN)
    family.add_metric(labels, reading.read())
    return family
