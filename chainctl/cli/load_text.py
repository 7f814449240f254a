"""What a chain did for a while in; tables of its chainlets and edges, as text or JSON, out. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chainctl.cli.durations import duration_text
from chainctl.cli.output import table
from chainctl.workflows.top import Load, Rates

_NS_PER_SEC = 1e9
_MIB = 1 << 20
_CHAINLETS = ["CHAINLET", "CALLS/S", "P50", "P99", "ERRORS/S", "IN FLIGHT", "QUEUED", "MEMORY", "SERVICE"]
_EDGES = ["EDGE", "CALLS/S", "P50", "P99", "ERRORS/S", "RETRIES/S"]


def load_text(load: Load) -> str:
    """Render chainlets, then the calls between them, then who did not answer."""
    rows = [
        [
            s.chainlet,
            *_cells(s.rates),
            str(s.in_flight),
            str(s.waiting),
            f"{s.memory_bytes / _MIB:.0f} MiB",
            s.service,
        ]
        for s in load.services
    ]
    edges = [
        [f"{s.chainlet} → {callee}", *_cells(rates), _rate(rates.retries)]
        for s in load.services
        for callee, rates in s.edges.items()
    ]
    lines = [table(_CHAINLETS, rows), *(["", table(_EDGES, edges)] if edges else [])]
    return "\n".join([*lines, *(f"not shown: {why}" for why in load.silent)]) + "\n"


def load_json(load: Load) -> dict[str, Any]:
    """Describe it as JSON values; rates are per second, times in seconds."""
    return {
        "seconds": load.seconds,
        "services": [
            {
                "service": s.service,
                "chainlet": s.chainlet,
                **asdict(s.rates),
                "in_flight": s.in_flight,
                "queued": s.waiting,
                "memory_bytes": s.memory_bytes,
                "edges": [{"callee": callee, **asdict(rates)} for callee, rates in s.edges.items()],
            }
            for s in load.services
        ],
        "silent": list(load.silent),
    }


def _cells(rates: Rates) -> list[str]:
    return [_rate(rates.calls), _time(rates.p50_sec), _time(rates.p99_sec), _rate(rates.errors)]


def _rate(per_sec: float) -> str:
    return f"{per_sec:.1f}" if per_sec else "0"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else duration_text(seconds * _NS_PER_SEC)
