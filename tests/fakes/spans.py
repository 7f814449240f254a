"""A chain that was called once, as the spans that its services would tell of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from chainctl.workflows.seen_span import CLIENT, SERVER, SeenSpan

MS = 1_000_000
START = 1_767_225_600_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(
    kind: str, number: int, parent: int, name: str, start_ms: float, total_ms: float, **more: Any
) -> SeenSpan:
    """A span of TRACE; times in milliseconds, those of `more` too where their names end in `_ms`."""
    times = {k.removesuffix("_ms") + "_ns": round(v * MS) for k, v in more.items() if k.endswith("_ms")}
    rest = {k: v for k, v in more.items() if not k.endswith("_ms")}
    return SeenSpan(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=name,
        kind=kind,
        start_ns=START + round(start_ms * MS),
        total_ns=round(total_ms * MS),
        **{"status": 200, "request_id": "r1", **times, **rest},
    )


def example() -> list[SeenSpan]:
    """Top calls Left and Right at once, then Stranger, which is no chainlet; Right is on another clock."""
    return [
        span(CLIENT, 1, 0, "Top", 0, 100),
        span(SERVER, 2, 1, "Top", 2, 96, decode_ms=1, queue_ms=5, run_ms=88, encode_ms=1, chainlet="Top"),
        span(CLIENT, 3, 2, "Left", 10, 20, encode_ms=1, decode_ms=1, first_byte_ms=17, chainlet="Top"),
        span(SERVER, 4, 3, "Left", 12, 15, run_ms=15, chainlet="Left"),
        span(CLIENT, 5, 2, "Right", 10, 50, queue_ms=10, encode_ms=2, attempts=2, chainlet="Top"),
        span(SERVER, 6, 5, "Right", 90_000, 30, queue_ms=4, run_ms=26, status=503, error="busy\nnow"),
        span(CLIENT, 7, 2, "Stranger", 62, 20, first_byte_ms=12, read_ms=6, items=3, chainlet="Top"),
    ]


def answer(spans: list[SeenSpan], chainlet: str, **more: Any) -> bytes:
    """What a service answers that has these spans."""
    value = {"schema": 1, "service": f"demo-{chainlet.lower()}", "chainlet": chainlet, **more}
    return json.dumps({**value, "spans": [asdict(span) for span in spans]}).encode()
