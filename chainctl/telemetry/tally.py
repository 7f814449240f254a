"""Spans of one endpoint or edge in; counts, sums and histogram buckets out.

Spans are added many at a time and field by field, which costs a fraction of adding one by one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

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
_total_ns, _queue_ns = attrgetter("total_ns"), attrgetter("queue_ns")
_decode_ns, _run_ns, _encode_ns = attrgetter("decode_ns"), attrgetter("run_ns"), attrgetter("encode_ns")
_before_ns, _after_ns = attrgetter("preprocess_ns"), attrgetter("postprocess_ns")
_items, _attempts, _status = attrgetter("items"), attrgetter("attempts"), attrgetter("status")


class Histogram:
    """Counts of durations by upper bound; the last count is of those above all bounds."""

    __slots__ = ("bounds_ns", "counts", "sum_ns")

    def __init__(self, bounds_ns: tuple[int, ...]) -> None:
        self.bounds_ns = bounds_ns
        self.counts = [0] * (len(bounds_ns) + 1)
        self.sum_ns = 0

    def add_all(self, durations_ns: list[int]) -> None:
        """Count durations; the list is sorted in place."""
        durations_ns.sort()
        self.sum_ns += sum(durations_ns)
        begin, end = 0, len(durations_ns)
        for index, bound in enumerate(self.bounds_ns):
            if begin == end:
                return
            reached = bisect_right(durations_ns, bound, begin)
            self.counts[index] += reached - begin
            begin = reached
        self.counts[-1] += end - begin


class Tally:
    """What is counted of one endpoint or one edge. `errors` is by class: "4xx", "5xx", "none" (no answer)."""

    __slots__ = (
        "decode_ns",
        "duration",
        "encode_ns",
        "errors",
        "items",
        "postprocess_ns",
        "preprocess_ns",
        "queue",
        "retries",
        "run_ns",
    )

    def __init__(self) -> None:
        self.duration = Histogram(DURATION_BOUNDS_NS)
        self.queue = Histogram(QUEUE_BOUNDS_NS)
        self.errors: dict[str, int] = {}
        self.decode_ns = 0
        self.preprocess_ns = 0
        self.run_ns = 0
        self.postprocess_ns = 0
        self.encode_ns = 0
        self.retries = 0
        self.items = 0

    def add_all(self, spans: Sequence[Span]) -> None:
        """Count finished spans."""
        self.duration.add_all(list(map(_total_ns, spans)))
        self.queue.add_all(list(map(_queue_ns, spans)))
        self.decode_ns += sum(map(_decode_ns, spans))
        self.preprocess_ns += sum(map(_before_ns, spans))
        self.run_ns += sum(map(_run_ns, spans))
        self.postprocess_ns += sum(map(_after_ns, spans))
        self.encode_ns += sum(map(_encode_ns, spans))
        self.items += sum(map(_items, spans))
        self.retries += sum(map(_attempts, spans)) - len(spans)
        for status, count in Counter(map(_status, spans)).items():
            if status >= _LEAST_ERROR or status == 0:
                name = f"{status // 100}xx" if status else "none"
                self.errors[name] = self.errors.get(name, 0) + count
