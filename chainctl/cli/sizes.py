"""A number of bytes in; a few characters for people out."""

from __future__ import annotations

_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def size_text(size: int | None) -> str:
    """Write a size with one decimal, as `docker images` counts: a kB has 1000 bytes; "" for None."""
    if size is None:
        return ""
    for unit, factor in _UNITS:
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
