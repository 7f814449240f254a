"""Large buffers in; references to shared segments that hold the same bytes out."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final, Optional

from chainctl.segments.directory import SegmentDirectory
from chainctl.segments.file import SegmentFile, rounded_capacity
from chainctl.segments.owner import SegmentOwner, sweep
from chainctl.segments.pages import addressed
from chainctl.segments.store import SegmentStore

LEAST_BYTES: Final = 1 << 20
MOST_BYTES: Final = 256 << 20
_WIDEST_FIT: Final = 4
_PAUSE_SEC: Final = 1.0


class SegmentPool:
    """Places buffers where the other processes of a chain on this machine can map them.

    `least_bytes` is the size from which on sharing is faster than sending, `most_bytes` bounds the
    memory of all segments together. With the `store` of this process, a buffer that was received and
    not written to since is passed on as it is. The pool is usable from any thread, but not in a
    forked child. A directory that is missing, or not ours alone, makes a pool that places nothing.
    """

    def __init__(
        self,
        directory: Path,
        *,
        store: Optional[SegmentStore] = None,
        least_bytes: int = LEAST_BYTES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._least_bytes = least_bytes
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._numbers = itertools.count()
        self._segments: list[SegmentFile] = []
        self._holds: dict[str, list[object]] = {}
        self._full_until = 0.0
        self._owner = _registered(directory)
        self._end = weakref.finalize(self, _close, self._owner, self._segments, self._process)

    def place(self, view: memoryview) -> Optional[str]:
        """Return a reference to the bytes of a contiguous buffer, in the order in which they lie.

        They stay there until `release` is called, once for each reference returned. None means that
        they are to be sent: the buffer is small or scattered, or there is no room.
        """
        if view.nbytes < self._least_bytes or not view.contiguous or not self.is_usable:
            return None
        with addressed(view) as address:
            return self._forwarded(address, view.nbytes) or self._copied(address, view.nbytes)

    def release(self, references: list[str]) -> None:
        """Let go of what was placed: the exchange is over; who received it keeps it as long as needed."""
        if os.getpid() != self._process:
            return
        with self._lock:
            for reference in references:
                self._release(reference)

    @property
    def is_usable(self) -> bool:
        """Whether anything can be placed at all."""
        return self._end.alive and self._owner is not None and os.getpid() == self._process

    def close(self) -> None:
        """Remove the segments; what others have mapped stays theirs."""
        if os.getpid() != self._process:  # another thread of the parent may have held the lock
            return
        with self._lock:
            self._end()
            self._holds.clear()

    def _forwarded(self, address: int, length: int) -> Optional[str]:
        found = self._store.unwritten(address, length) if self._store else None
        if found is None:
            return None
        reference, lease = found
        with self._lock:
            self._holds.setdefault(str(reference), []).append(lease)
        return str(reference)

    def _copied(self, address: int, length: int) -> Optional[str]:
        with self._lock:
            segment = self._begun(length)
            if segment is None:
                return None
            segment.is_held = True
        reference = str(segment.fill(address, length))
        with self._lock:
            self._holds[reference] = [segment]
        return reference

    def _release(self, reference: str) -> None:
        holds = self._holds.get(reference)
        if not holds:
            return
        hold = holds.pop()
        if isinstance(hold, SegmentFile):
            hold.is_held = False
        if not holds:
            del self._holds[reference]

    def _begun(self, length: int) -> Optional[SegmentFile]:
        """Return the smallest free segment that fits without much waste, else a new one."""
        if not self.is_usable:
            return None
        fitting = [s for s in self._free() if length <= s.capacity <= _WIDEST_FIT * length]
        for segment in sorted(fitting, key=lambda s: s.capacity):
            if segment.try_begin():
                return segment
        return self._new(rounded_capacity(length))

    def _new(self, capacity: int) -> Optional[SegmentFile]:
        if time.monotonic() < self._full_until or not self._has_room(capacity):
            return None
        assert self._owner is not None
        name = f"{self._owner.name}-{next(self._numbers)}"
        try:
            segment = SegmentFile(self._owner.directory, name, capacity)
        except OSError:  # the file system is full, or gone: do not try at every call
            self._full_until = time.monotonic() + _PAUSE_SEC
            return None
        self._segments.append(segment)
        return segment if segment.try_begin() else None

    def _has_room(self, capacity: int) -> bool:
        """Make room for a segment, at the cost of free ones; say whether there is some."""
        excess = sum(s.capacity for s in self._segments) + capacity - self._most_bytes
        free = self._free()
        if excess > sum(s.capacity for s in free):
            return False
        for segment in free:
            if excess <= 0:
                break
            if segment.try_remove():
                self._segments.remove(segment)
                excess -= segment.capacity
        return excess <= 0

    def _free(self) -> list[SegmentFile]:
        return [segment for segment in self._segments if not segment.is_held]


def _registered(path: Path) -> Optional[SegmentOwner]:
    """Sweep after those who died, then become an owner; None where that can not be."""
    directory = SegmentDirectory.opened(path) if sys.platform == "linux" else None
    if directory is None:
        return None
    with suppress(OSError):  # what can not be removed takes room, but does no harm
        sweep(directory)
    try:
        return SegmentOwner.registered(directory)
    except OSError:
        directory.close()
        return None


def _close(owner: Optional[SegmentOwner], segments: list[SegmentFile], process: int) -> None:
    """Remove a pool's files at its end; a forked child has the same pool, but no say in it."""
    if owner is None or os.getpid() != process:
        return
    for segment in segments:
        segment.remove()
    segments.clear()
    owner.resign()
    owner.directory.close()
