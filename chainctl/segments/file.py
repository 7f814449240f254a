"""A size in; one file of shared memory that its owner fills again and again, out.

A file begins with a header, a page long: a mark, and the number of times that it was filled. It is
filled anew only while nobody else has it locked; a reader who comes later sees another number.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
from contextlib import suppress
from typing import Final

from chainctl.segments.directory import SegmentDirectory
from chainctl.segments.owner import lock_alone, lock_shared
from chainctl.segments.pages import addressed
from chainctl.segments.reference import SegmentReference

HEADER_BYTES: Final = mmap.ALLOCATIONGRANULARITY
MARK: Final = b"chainsg1"
HEADER: Final = struct.Struct("<8sQ")
_POPULATE_WRITE: Final = 23  # MADV_POPULATE_WRITE, which the mmap module does not name


class SegmentFile:
    """One file of `capacity` bytes, header excluded. `is_held` is for the pool that it belongs to.

    All its memory is had from the start, so that filling it can not fail. Raises OSError when there
    is not enough.
    """

    def __init__(self, directory: SegmentDirectory, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.is_held = False
        self._is_filling = False
        self._directory = directory
        self._generation = 0
        self._handle = directory.create(name)
        try:
            self._memory = self._mapped()
        except OSError:
            os.ftruncate(self._handle, 0)
            self._forget()
            raise
        with memoryview(self._memory) as view, addressed(view) as address:
            self._address = address  # it stays mapped as long as this object lives

    def try_begin(self) -> bool:
        """Begin to fill it anew unless somebody reads it, or has removed it; say whether it was begun.

        From then on until it is filled it is locked like a reader's: nobody takes its memory away.
        """
        if not lock_alone(self._handle):
            return False
        if not os.fstat(self._handle).st_nlink:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            return False
        self._generation += 1
        HEADER.pack_into(self._memory, 0, MARK, self._generation)
        self._is_filling = lock_shared(self._handle)
        return self._is_filling

    def fill(self, address: int, length: int) -> SegmentReference:
        """Copy bytes from an address, letting other threads run; return where they are now."""
        ctypes.memmove(self._address + HEADER_BYTES, address, length)
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        self._is_filling = False
        return SegmentReference(self.name, HEADER_BYTES, length, self._generation)

    def try_remove(self) -> bool:
        """Remove it and give its memory back, unless somebody reads it; say whether it was done."""
        if not lock_alone(self._handle):
            return False
        self.remove()
        return True

    def remove(self) -> None:
        """Remove it: who reads it reads on; when nobody does, its memory is free at once."""
        if not self._is_filling and lock_alone(self._handle):
            os.ftruncate(self._handle, 0)
        self._forget()

    def _mapped(self) -> mmap.mmap:
        size = HEADER_BYTES + self.capacity
        os.posix_fallocate(self._handle, 0, size)
        memory = mmap.mmap(self._handle, size)
        with suppress(OSError):  # Linux before 5.14: the pages are mapped one by one, when written to
            memory.madvise(_POPULATE_WRITE)
        return memory

    def _forget(self) -> None:
        self._directory.remove(self.name)
        os.close(self._handle)


def rounded_capacity(length: int) -> int:
    """Return the size of the segments that suit a length: a quarter of a power of two, or a multiple."""
    step = max(mmap.ALLOCATIONGRANULARITY, 1 << max(0, length.bit_length() - 3))
    return -(-length // step) * step
