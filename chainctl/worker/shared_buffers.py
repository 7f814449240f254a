"""The directory that services of one machine share in; Buffers that place large ones there, mapped, not copied, out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Optional

from chainctl.worker.buffers import Buffers, Placing
from chainctl.worker.segment_pool import SegmentPool
from chainctl.worker.segment_store import SegmentStore


def shared_buffers(directory: Optional[Path]) -> Buffers:
    """Return Buffers for a directory; without one, buffers stay in their messages."""
    if directory is None:
        return Buffers()
    return SharedBuffers(directory)


class SharedBuffers(Buffers):
    """Places large buffers in shared segments, and finds those that others placed."""

    def __init__(self, directory: Path) -> None:
        self._store = SegmentStore(directory)
        self._pool = SegmentPool(directory, store=self._store)
        self.identity = _identity(directory) if self._pool.is_usable else ""

    def placing(self, peer: str = "") -> Placing:
        return _SharedPlacing(self._pool) if peer and peer == self.identity else Placing()

    def find(self, reference: str, length: int) -> memoryview:
        return self._store.find(reference, length)


def _identity(directory: Path) -> str:
    """Name a directory of a running machine: two processes that have the same name see the same files."""
    stat = directory.stat()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return hashlib.sha256(f"{boot}:{stat.st_dev}:{stat.st_ino}".encode()).hexdigest()[:24]


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
