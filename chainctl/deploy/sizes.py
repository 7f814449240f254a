"""A count of bytes in; the size as people give it out. Pure."""

from __future__ import annotations

_GIB = 1 << 30
_MIB = 1 << 20


def shown_bytes(count: int) -> str:
    """Write a size as people give it: 512Mi, 23.5Gi."""
    if count >= _GIB:
        return f"{count / _GIB:.4g}Gi"
    return f"{count / _MIB:.4g}Mi"
