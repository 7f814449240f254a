"""The memory of a service in; how much of it the service may share with the others of its chain out. Pure."""

from __future__ import annotations

_MOST_BYTES = 256 << 20
_PART = 4


def shared_bytes(memory_bytes: int) -> int:
    """Return the bound in bytes: a quarter of the memory, as shared memory counts for who fills it."""
    return min(memory_bytes // _PART, _MOST_BYTES)
