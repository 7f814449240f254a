"""References to shared segments in; writable views of their bytes, copied only when written, out."""

from __future__ import annotations

import bisect
import os
import threading
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final, Optional

from chainctl.segments.directory import SegmentDirectory
from chainctl.segments.reference import SegmentGoneError, SegmentReference
from chainctl.segments.view import SegmentMapping

MOST_LEASES: Final = 256
_MOST_IDLE: Final = 16


class SegmentStore:
    """Maps what the pools of other processes have placed; usable from any thread.

    A view, and every array made from it, holds a lease: its segment is not filled anew before the
    last of them is gone. Beyond `most_leases` at a time (each has two open files) bytes are copied.
    """

    def __init__(self, directory: Path, *, most_leases: int = MOST_LEASES) -> None:
        self._directory = SegmentDirectory.opened(directory)
        self._most_leases = most_leases
        self._lock = threading.Lock()
        self._lent: dict[int, SegmentMapping] = {}
        self._idle: deque[SegmentMapping] = deque()
        self._end = weakref.finalize(self, _forget, self._idle, self._directory)
        self._end.atexit = False
        _STORES.add(self)

    def find(self, reference: str, length: int) -> memoryview:
        """Return the `length` bytes of a reference; writes to them are seen by nobody else.

        Raises SegmentGoneError when they can not be had here (any more): ask for the bytes
        themselves then. Raises ValueError for a reference that no pool has given.
        """
        wanted = SegmentReference.parse(reference)
        if wanted.length != length:
            raise ValueError(f"the reference is to {wanted.length} bytes, not to {length}")
        with self._lock:
            view = self._lend(wanted)
            is_crowded = len(self._lent) > self._most_leases
        return memoryview(bytearray(view)) if is_crowded else view

    def unwritten(self, address: int, length: int) -> Optional[tuple[SegmentReference, object]]:
        """Find a buffer of this process among what was received and not written to since.

        Returns a reference to the same bytes, and what keeps them as they are while it is held.
        """
        mapping = self._lent_at(address)
        if mapping is None or address + length > mapping.address + mapping.size:
            return None
        lease = mapping.lease_of(address, length)
        if lease is None:
            return None
        offset = address - mapping.address
        return SegmentReference(mapping.name, offset, length, mapping.generation), lease

    @property
    def identity(self) -> Optional[str]:
        """What all processes that share this directory agree on; None where nothing can be shared."""
        try:
            return self._directory.identity() if self._directory else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Forget the directory and all that is idle; views that were given out stay good."""
        with self._lock:
            self._end()
            self._directory = None

    def before_fork(self) -> None:
        """Leave nothing to two processes that only one may unlock; nothing changes until `after_fork`."""
        self._lock.acquire()
        for mapping in list(self._lent.values()):
            mapping.was_forked = True

    def after_fork(self) -> None:
        _drop_all(self._idle)
        self._lock.release()

    def _lend(self, wanted: SegmentReference) -> memoryview:
        mapping = self._idle_mapping(wanted.name) or self._mapped(wanted.name)
        try:
            view = mapping.lend(wanted, self._take_back)
        except BaseException:
            mapping.discard()
            raise
        self._lent[mapping.address] = mapping
        return view

    def _mapped(self, name: str) -> SegmentMapping:
        if self._directory is None:
            raise SegmentGoneError("there is no directory of shared segments here")
        try:
            return SegmentMapping(self._directory, name)
        except OSError as error:
            raise SegmentGoneError(f"{name} can not be opened: {error.strerror}") from error

    def _idle_mapping(self, name: str) -> Optional[SegmentMapping]:
        """Take the mapping of a segment that was used before, if there is one."""
        for mapping in list(self._idle):
            if mapping.name == name:
                with suppress(ValueError):  # another thread has dropped it
                    self._idle.remove(mapping)
                    return mapping
        return None

    def _lent_at(self, address: int) -> Optional[SegmentMapping]:
        """Return the mapping that begins nearest below an address."""
        with self._lock:
            begins = sorted(self._lent)
            place = bisect.bisect_right(begins, address)
            return self._lent.get(begins[place - 1]) if place else None

    def _take_back(self, mapping: SegmentMapping) -> None:
        """Keep a mapping whose lease has ended. Runs at any time, in any thread: it takes no lock."""
        self._lent.pop(mapping.address, None)
        if self._directory is None or not mapping.take_back():
            mapping.discard()
            return
        self._idle.append(mapping)
        if len(self._idle) > _MOST_IDLE:
            _drop_oldest(self._idle)


def _forget(idle: deque[SegmentMapping], directory: Optional[SegmentDirectory]) -> None:
    _drop_all(idle)
    if directory is not None:
        directory.close()


def _drop_all(idle: deque[SegmentMapping]) -> None:
    while idle:
        _drop_oldest(idle)


def _drop_oldest(idle: deque[SegmentMapping]) -> None:
    with suppress(IndexError):  # another thread has taken it
        idle.popleft().discard()


_STORES: weakref.WeakSet[SegmentStore] = weakref.WeakSet()


_stopped: list[SegmentStore] = []


def _before_fork() -> None:
    stores = sorted(_STORES, key=id)
    for store in stores:
        store.before_fork()
    _stopped[:] = stores


def _after_fork() -> None:
    stores = list(_stopped)
    _stopped.clear()
    for store in stores:
        store.after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
