"""A segment's file in; a private mapping of it, lent to one reader at a time, out.

What a reader writes is the reader's own. The file is locked, shared, from the moment that it is lent
until the last view of it is gone, and the kernel drops the lock with the process.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import weakref
from collections.abc import Callable
from typing import Optional

from chainctl.segments.directory import SegmentDirectory
from chainctl.segments.file import HEADER, HEADER_BYTES, MARK
from chainctl.segments.owner import lock_shared
from chainctl.segments.pages import addressed, pages_unwritten
from chainctl.segments.reference import SegmentGoneError, SegmentReference

_BLOCK_BYTES = 512


class SegmentMapping:
    """A private mapping of a whole segment, which outlives a lease: to map it anew costs page faults.

    `was_forked` tells that a child has the same lock, and perhaps a view: it is never unlocked then,
    only closed, so that the lock lasts until both have.
    """

    def __init__(self, directory: SegmentDirectory, name: str) -> None:
        """Lock and map a segment. Raises OSError, ValueError for what is none, SegmentGoneError."""
        self.name = name
        self.generation = 0
        self.was_forked = False
        self._lease: Optional[weakref.ref[ctypes.Array[ctypes.c_ubyte]]] = None
        self._handle = directory.open(name)
        try:
            self._lock()  # from here on it does not shrink
            self.size = os.fstat(self._handle).st_size
            if not self.size:
                raise SegmentGoneError(f"{name} was removed")
            if self.size <= HEADER_BYTES:
                raise ValueError(f"{name} is not a segment: it is {self.size} bytes long")
            self._memory = mmap.mmap(self._handle, self.size, access=mmap.ACCESS_COPY)
        except BaseException:
            os.close(self._handle)
            raise
        self._type = ctypes.c_ubyte * self.size
        with memoryview(self._memory) as view, addressed(view) as address:
            self.address = address

    def lend(self, wanted: SegmentReference, returned: Callable[[SegmentMapping], object]) -> memoryview:
        """Lock the file and return the bytes; `returned` is called when the last view of them is gone.

        Raises SegmentGoneError when they are not there any more, ValueError when they never were;
        the mapping is to be discarded then.
        """
        self._lock()
        self._check(wanted)
        self.generation = wanted.generation
        lease = self._type.from_buffer(self._memory)
        self._lease = weakref.ref(lease)
        weakref.finalize(lease, returned, self).atexit = False
        return memoryview(lease).cast("B")[wanted.offset : wanted.end]

    def take_back(self) -> bool:
        """End the lease, dropping what was written; say whether the mapping can be lent again."""
        if self.was_forked or not os.fstat(self._handle).st_nlink:
            return False
        if not pages_unwritten(self.address, self.size):
            self._memory.madvise(mmap.MADV_DONTNEED)
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        return True

    def lease_of(self, address: int, length: int) -> Optional[object]:
        """Return what keeps the lease if the bytes are as they were received, else None."""
        lease = self._lease() if self._lease else None
        if lease is None or not os.fstat(self._handle).st_nlink:
            return None
        return lease if pages_unwritten(address, length) else None

    def discard(self) -> None:
        """Close the file; the mapping goes with the last view, and the lock with it."""
        os.close(self._handle)

    def _lock(self) -> None:
        if not lock_shared(self._handle):
            raise SegmentGoneError(f"{self.name} is being filled anew")

    def _check(self, wanted: SegmentReference) -> None:
        found = os.fstat(self._handle)
        if not found.st_nlink or found.st_size < self.size:
            raise SegmentGoneError(f"{self.name} was removed")
        mark, generation = HEADER.unpack(os.pread(self._handle, HEADER.size, 0))
        if mark != MARK:
            raise ValueError(f"{self.name} is not a segment")
        if generation != wanted.generation:
            raise SegmentGoneError(f"{self.name} was filled anew")
        if not HEADER_BYTES <= wanted.offset <= wanted.end <= self.size:
            raise ValueError(f"{self.name} does not reach that far")
        if found.st_blocks * _BLOCK_BYTES < self.size:  # a hole may have no memory to be read into
            raise ValueError(f"{self.name} has holes")
