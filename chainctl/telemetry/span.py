"""What one call took, part by part, in; a JSON object for `/-/spans` out."""

from __future__ import annotations

from typing import Any


class Span:
    """One call as its server or its client saw it, filled in while it runs. All times are nanoseconds.

    `kind` is "server" or "client"; `name` is the chainlet, or the callee of a client span.
    `start_ns` counts from the epoch. `queue_ns` is the wait for a permit (and for a batch), `decode_ns` and
    `encode_ns` the wire format, `run_ns` user code, `preprocess_ns` and `postprocess_ns` the stages around
    it. Of a client: `first_byte_ns` from the request sent to the first byte of the answer, `read_ns` from
    there to its last. `status` is 0 where there was no answer, `parent_id` is 0 where there is no parent,
    `items` counts those of a stream.
    """

    __slots__ = (
        "attempts",
        "decode_ns",
        "encode_ns",
        "error",
        "first_byte_ns",
        "is_sampled",
        "items",
        "kind",
        "name",
        "parent_id",
        "postprocess_ns",
        "preprocess_ns",
        "queue_ns",
        "read_ns",
        "request_id",
        "run_ns",
        "span_id",
        "start_ns",
        "status",
        "total_ns",
        "trace_id",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        trace_id: int,
        span_id: int,
        parent_id: int = 0,
        request_id: str = "",
        is_sampled: bool = True,
        start_ns: int = 0,
    ) -> None:
        self.name = name
        self.kind = kind
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.request_id = request_id
        self.is_sampled = is_sampled
        self.start_ns = start_ns
        self.queue_ns = 0
        self.decode_ns = 0
        self.preprocess_ns = 0
        self.run_ns = 0
        self.postprocess_ns = 0
        self.encode_ns = 0
        self.first_byte_ns = 0
        self.read_ns = 0
        self.total_ns = 0
        self.status = 0
        self.error = ""
        self.attempts = 1
        self.items = 0

    def as_json(self) -> dict[str, Any]:
        """Return every field; ids are hexadecimal, as W3C Trace Context writes them."""
        return {
            "trace_id": f"{self.trace_id:032x}",
            "span_id": f"{self.span_id:016x}",
            "parent_id": f"{self.parent_id:016x}" if self.parent_id else "",
            "request_id": self.request_id,
            "name": self.name,
            "kind": self.kind,
            "start_ns": self.start_ns,
            "queue_ns": self.queue_ns,
            "decode_ns": self.decode_ns,
            "preprocess_ns": self.preprocess_ns,
            "run_ns": self.run_ns,
            "postprocess_ns": self.postprocess_ns,
            "encode_ns": self.encode_ns,
            "first_byte_ns": self.first_byte_ns,
            "read_ns": self.read_ns,
            "total_ns": self.total_ns,
            "status": self.status,
            "error": self.error,
            "attempts": self.attempts,
            "items": self.items,
        }
