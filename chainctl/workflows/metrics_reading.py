"""The metrics text of one service in; its counts of calls, as numbers to compare, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

_CALLS = "chainctl_call"
_EDGES = "chainctl_edge"
_DURATION = "_duration_seconds"


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls since the service started. `buckets` counts, by upper bound in seconds, those not above it."""

    calls: float = 0.0
    errors: float = 0.0
    retries: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: CallCounts) -> CallCounts:
        """Return what was added; all of it, when the service has started anew."""
        if self.calls < before.calls:
            return self
        buckets = {bound: count - before.buckets.get(bound, 0.0) for bound, count in self.buckets.items()}
        return CallCounts(
            self.calls - before.calls, self.errors - before.errors, self.retries - before.retries, buckets
        )

    def quantile(self, share: float) -> float | None:
        """Return the seconds that a share of the calls took at most, interpolated; None without calls."""
        rank, below, floor = share * self.calls, 0.0, 0.0
        for bound, count in sorted(self.buckets.items()):
            if count >= rank and count > below:
                if bound == float("inf"):
                    return floor
                return floor + (bound - floor) * max(0.0, rank - below) / (count - below)
            below, floor = count, bound
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the metrics of one service say. `edges` is by callee; `memory_bytes` is its resident memory.

    `limit` is how many calls may run at once, 0 where that is not told; `cpu_sec` is CPU time since its start.
    """

    calls: CallCounts
    edges: Mapping[str, CallCounts]
    in_flight: float = 0.0
    waiting: float = 0.0
    memory_bytes: float = 0.0
    limit: float = 0.0
    cpu_sec: float = 0.0


def read_metrics(text: bytes) -> Reading:
    """Parse the text format of Prometheus. Raises ValueError."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = [s for family in text_string_to_metric_families(text.decode()) for s in family.samples]
    callees = {s.labels["callee"] for s in samples if "callee" in s.labels}
    return Reading(
        calls=_counts(_CALLS, [s for s in samples if s.name.startswith(_CALLS)]),
        edges={
            callee: _counts(_EDGES, [s for s in samples if s.labels.get("callee") == callee])
            for callee in sorted(callees)
        },
        in_flight=_sum(samples, "chainctl_calls_in_flight"),
        waiting=_sum(samples, "chainctl_calls_waiting"),
        memory_bytes=_sum(samples, "process_resident_memory_bytes"),
        limit=_sum(samples, "chainctl_calls_limit"),
        cpu_sec=_sum(samples, "process_cpu_seconds_total"),
    )


def _counts(prefix: str, samples: Iterable[Sample]) -> CallCounts:
    samples = list(samples)
    buckets: dict[float, float] = {}
    for sample in samples:
        if sample.name == f"{prefix}{_DURATION}_bucket":
            bound = float(sample.labels["le"])
            buckets[bound] = buckets.get(bound, 0.0) + sample.value
    return CallCounts(
        calls=_sum(samples, f"{prefix}{_DURATION}_count"),
        errors=_sum(samples, f"{prefix}_errors_total"),
        retries=_sum(samples, f"{prefix}_retries_total"),
        buckets=buckets,
    )


def _sum(samples: Iterable[Sample], name: str) -> float:
    return sum(sample.value for sample in samples if sample.name == name)
