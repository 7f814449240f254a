"""Spans of one endpoint or edge in; counts, sums and histogram buckets out. Cheap to add to."""

from __future__ import annotations

from bisect import bisect_left

from chainctl.telemetry.span import Span

# Upper bounds in nanoseconds. A hop on one machine takes a tenth of a millisecond, a model minutes.
# The finer ones are those that medians are read from.
_MOST_NS = 100_000_000_000
_POWERS = range(5, 11)
DURATION_BOUNDS_NS = (
    *(round(digit * 10.0**power) for power in _POWERS for digit in (1, 1.5, 2, 3, 5, 7.5)),
    _MOST_NS,
    3 * _MOST_NS,
)
QUEUE_BOUNDS_NS = (*(digit * 10**power for power in _POWERS for digit in (1, 5)), _MOST_NS)
_LEAST_ERROR = 400


class Histogram:
    """Counts of durations by upper bound; the last count is of those above all bounds."""

    __slots__ = ("bounds_ns", "counts", "sum_ns")

    def __init__(self, bounds_ns: tuple[int, ...]) -> None:
        self.bounds_ns = bounds_ns
        self.counts = [0] * (len(bounds_ns) + 1)
        self.sum_ns = 0

    def add(self, duration_ns: int) -> None:
        self.counts[bisect_left(self.bounds_ns, duration_ns)] += 1
        self.sum_ns += duration_ns


class Tally:
    """What is counted of one endpoint or one edge. `errors` is by class: "4xx", "5xx", "none" (no answer)."""

    __slots__ = ("decode_ns", "duration", "encode_ns", "errors", "items", "queue", "retries", "run_ns")

    def __init__(self) -> None:
        self.duration = Histogram(DURATION_BOUNDS_NS)
        self.queue = Histogram(QUEUE_BOUNDS_NS)
        self.errors: dict[str, int] = {}
        self.decode_ns = 0
        self.run_ns = 0
        self.encode_ns = 0
        self.retries = 0
        self.items = 0

    def add(self, span: Span) -> None:
        """Count a finished span."""
        self.duration.add(span.total_ns)
        self.queue.add(span.queue_ns)
        self.decode_ns += span.decode_ns
        self.run_ns += span.run_ns
        self.encode_ns += span.encode_ns
        self.items += span.items
        if span.attempts > 1:
            self.retries += span.attempts - 1
        if span.status >= _LEAST_ERROR or span.status == 0:
            name = f"{span.status // 100}xx" if span.status else "none"
            self.errors[name] = self.errors.get(name, 0) + 1
