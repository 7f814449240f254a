"""Finished spans in; the last of them, and counts of all, kept for whoever asks, out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Optional, Protocol

from chainctl.telemetry.counts import Counts, Reading
from chainctl.telemetry.span import Span

SPANS_AT_ONCE = 1000
_COUNTED_AT_ONCE = 128


class SpanSink(Protocol):
    """Takes spans to elsewhere."""

    def offer(self, span: Span) -> None:
        """Take a span, or drop it and count that; never waits."""
        ...


class Telemetry:
    """What is known of the calls of one service. Any thread may record.

    The last `capacity` spans are kept; counts are of all, by name.
    """

    def __init__(self, service: str, chainlet: str, capacity: int = 4096) -> None:
        self.service = service
        self.chainlet = chainlet
        self.sink: Optional[SpanSink] = None
        self._ring: deque[Span] = deque(maxlen=capacity)
        self._fresh: list[Span] = []
        self._lock = threading.Lock()
        self._counts = Counts(service, chainlet)
        self._metrics: Optional[Callable[[], bytes]] = None

    def record(self, span: Span) -> None:
        """Keep a finished span, count it, and hand it over to be exported. It must not change any more.

        Spans are counted some at a time, which is cheaper than one by one beside a call.
        """
        self._fresh.append(span)
        if len(self._fresh) >= _COUNTED_AT_ONCE:
            self._settle()
        if self.sink is not None:
            self.sink.offer(span)

    def _settle(self) -> None:
        """Count the spans that are not counted yet, and keep the last of them."""
        with self._lock:
            spans = self._fresh[:]
            del self._fresh[: len(spans)]
            self._ring.extend(spans)
            self._counts.add_all(spans)

    def spans(self, trace_id: Optional[int] = None, limit: int = SPANS_AT_ONCE) -> list[dict[str, Any]]:
        """Return the newest spans first, of one trace or of all."""
        self._settle()
        with self._lock:
            kept = self._ring.copy()
        wanted = (span for span in reversed(kept) if trace_id is None or span.trace_id == trace_id)
        return [span.as_json() for span in islice(wanted, max(limit, 0))]

    def gauge(self, name: str, doc: str, function: Callable[[], float]) -> None:
        """Add a metric that goes up and down; the function is called whenever metrics are read."""
        self._counts.readings.append(Reading(name, doc, "gauge", function))

    def counter(self, name: str, doc: str, function: Callable[[], float]) -> None:
        """Add a metric that only grows; its name ends in `_total`."""
        self._counts.readings.append(Reading(name, doc, "counter", function))

    def metrics_text(self) -> bytes:
        """Return all metrics in the text format of Prometheus. The first call imports its library."""
        if self._metrics is None:
            from chainctl.telemetry.metrics import exposition

            self._metrics = exposition(self._counts)
        self._settle()
        return self._metrics()
