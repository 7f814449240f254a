"""A `traceparent` header in, ids and whether the trace is kept out, and back: W3C Trace Context, level 1."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple, Optional

TRACEPARENT = "traceparent"
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 1


class TraceContext(NamedTuple):
    """Where in which trace something happens. `span_id` is 0 where a trace only begins."""

    trace_id: int
    span_id: int = 0
    is_sampled: bool = True


Sampler = Callable[[Optional[TraceContext], int], bool]
"""Given what the caller sent, None if nothing, and the trace's id: says whether the trace is exported."""


def follow_caller(parent: Optional[TraceContext], trace_id: int) -> bool:
    """Sample what the caller samples, and all that begins here."""
    return parent is None or parent.is_sampled


def received(header: Optional[str], sampler: Sampler = follow_caller) -> TraceContext:
    """Return the caller's place in its trace; a new trace where the header is absent or invalid."""
    parent = parse_traceparent(header) if header else None
    if parent is None:
        trace_id = new_trace_id()
        return TraceContext(trace_id, 0, sampler(None, trace_id))
    is_sampled = sampler(parent, parent.trace_id)
    return (
        parent
        if is_sampled is parent.is_sampled
        else TraceContext(parent.trace_id, parent.span_id, is_sampled)
    )


def parse_traceparent(header: str) -> Optional[TraceContext]:
    """Parse a header's value strictly, None for what the specification calls invalid.

    A later version than ours is read for the fields that we know.
    """
    match = _FORM.fullmatch(header.strip(" \t"))
    if match is None:
        return None
    version, trace, span, flags, rest = match.groups()
    trace_id, span_id = int(trace, 16), int(span, 16)
    is_known = version != "ff" and (version != "00" or rest is None)
    if not is_known or not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def format_traceparent(trace_id: int, span_id: int, is_sampled: bool = True) -> str:
    """Write the header's value."""
    return f"00-{trace_id:032x}-{span_id:016x}-{'01' if is_sampled else '00'}"


def new_trace_id() -> int:
    """Return a random id of 128 bits, never 0."""
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    """Return a random id of 64 bits, never 0."""
    return random.getrandbits(64) or 1
