"""Durations in; a short text of them out."""

from __future__ import annotations

_US = 1_000
_MS = 1_000_000
_SEC = 1_000_000_000


def duration_text(ns: float) -> str:
    """Write a duration in nanoseconds with two to four digits, in the unit that fits it."""
    if ns < _MS:
        return f"{ns / _US:.0f} µs"
    if ns < _SEC:
        return f"{ns / _MS:.1f} ms"
    return f"{ns / _SEC:.2f} s"


def age_text(seconds: float) -> str:
    """Write an age in whole seconds, minutes, hours or days."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
