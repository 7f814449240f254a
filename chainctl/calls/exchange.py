"""One call to another service, from its first attempt to its end: limits, ids, and what it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional, TypeVar

from chainctl.calls.answer import Answer
from chainctl.calls.call_context import CallContext
from chainctl.calls.generation_range import ANY_HEADER
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from chainctl.telemetry.trace_context import new_span_id, new_trace_id

T = TypeVar("T")
_ANY_LINE = f"{ANY_HEADER}: 1\r\n".encode()


class Exchange:
    """Deadlines are times of `time.monotonic()`, in seconds.

    So is `began`. `outer_deadline` is that of the call in which this one is made, None where there is none;
    `deadline` is the earlier of it and of the edge's own timeout. An exchange that `is_inner` is one
    within the chain; one that `is_for_any` found no replica with the code of its generation.
    """

    __slots__ = (
        "_answer", "_answered", "_callee", "_context", "_decode_sec", "_error", "_is_inner",
        "_permitted", "_span_id",
        "_start_ns", "_trace_id", "attempts", "began", "deadline", "encode_ns", "is_bounded_from_outside",
        "is_for_any", "outer_deadline", "was_repeated",
    )  # fmt: skip

    def __init__(
        self, callee: str, context: Optional[CallContext], timeout_sec: float, *, is_inner: bool = False
    ) -> None:
        self.began = self._permitted = time.monotonic()
        own = self.began + timeout_sec
        self.outer_deadline = None if context is None else context.deadline
        self.is_bounded_from_outside = self.outer_deadline is not None and self.outer_deadline < own
        self.deadline = min(own, self.outer_deadline) if self.outer_deadline is not None else own
        self.attempts = 1
        self.was_repeated = False
        self.is_for_any = False
        self._callee = callee
        self._is_inner = is_inner
        self._context = context
        self._start_ns = time.time_ns()
        self._span_id = new_span_id()
        self._trace_id = context.trace_id if context is not None else new_trace_id()
        self.encode_ns = 0
        self._answer: Optional[Answer] = None
        self._answered = 0.0
        self._decode_sec = 0.0
        self._error = ""

    @property
    def trace_lines(self) -> bytes:
        """The header lines that tell the other side which call this is part of."""
        context = self._context
        is_sampled = context is None or context.is_sampled
        line = b"traceparent: 00-%032x-%016x-0%d\r\n" % (self._trace_id, self._span_id, is_sampled)
        if context is None:
            return line
        line += b"x-request-id: %b\r\n" % context.request_id.encode("latin-1", "replace")
        if context.generation and self._is_inner:
            line += b"x-chainctl-generation: %d\r\n" % context.generation
        if self.is_for_any:
            line += _ANY_LINE
        return line

    def has_permit(self) -> None:
        """Note that the wait for a permit is over."""
        self._permitted = time.monotonic()

    def decoded(self, decode: Callable[[Answer], T], answer: Answer) -> T:
        """Decode an answer and note how long it took."""
        try:
            return decode(answer)
        finally:
            self._decode_sec = time.monotonic() - self._answered

    def answered(self, answer: Answer) -> None:
        """Note what came back, an error answer too."""
        self._answer, self._answered = answer, time.monotonic()

    def failed(self, error: BaseException) -> None:
        """Note what the exchange ended with."""
        self._error = type(error).__name__

    def record(self, telemetry: Optional[Telemetry]) -> None:
        """Leave a span behind."""
        if telemetry is None:
            return
        context = self._context
        span = Span(
            self._callee,
            "client",
            self._trace_id,
            self._span_id,
            context.span_id if context is not None else 0,
            context.request_id if context is not None else "",
            context is None or context.is_sampled,
            self._start_ns,
        )
        now = time.monotonic()
        span.total_ns = _ns(now - self.began)
        span.queue_ns = _ns(self._permitted - self.began)
        span.encode_ns = self.encode_ns
        span.attempts, span.error = self.attempts, self._error
        answer = self._answer
        if answer is not None:
            span.status = answer.status
            span.first_byte_ns = max(0, _ns(answer.first_byte_at - self._permitted))
            span.read_ns = max(0, _ns(self._answered - answer.first_byte_at))
            span.decode_ns = _ns(self._decode_sec)
        telemetry.record(span)


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
