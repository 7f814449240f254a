"""Nanoseconds in; a short text of them out."""

from __future__ import annotations

_US = 1_000
_MS = 1_000_000
_SEC = 1_000_000_000


def duration_text(ns: float) -> str:
    """Write a duration with two to four digits, in the unit that fits it."""
    if ns < _MS:
        return f"{ns / _US:.0f} µs"
    if ns < _SEC:
        return f"{ns / _MS:.1f} ms"
    return f"{ns / _SEC:.2f} s"
