"""The memory that services of one machine share in; Buffers that place large ones there, not copied but mapped, out."""

from __future__ import annotations

from typing import Optional

from chainctl.calls.buffers import Buffers, Placing
from chainctl.segments.pool import SegmentPool
from chainctl.segments.sharing import SegmentSharing


class SharedBuffers(Buffers):
    """Places large buffers in shared segments, and finds those that others placed."""

    def __init__(self, sharing: SegmentSharing) -> None:
        self._sharing = sharing
        self.identity = sharing.identity

    def placing(self, peer: str = "") -> Placing:
        return _SharedPlacing(self._sharing.pool) if peer and peer == self.identity else Placing()

    def find(self, reference: str, length: int) -> memoryview:
        return self._sharing.store.find(reference, length)


class _SharedPlacing(Placing):
    """The segments of one message."""

    def __init__(self, pool: SegmentPool) -> None:
        self._pool = pool
        self._references: list[str] = []

    def place(self, buffer: memoryview) -> Optional[str]:
        reference = self._pool.place(buffer)
        if reference is not None:
            self._references.append(reference)
        return reference

    def release(self) -> None:
        references, self._references = self._references, []
        self._pool.release(references)
