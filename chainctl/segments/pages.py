"""A buffer in; its address, and whether its pages are still those of the file they were mapped from, out."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

_PAGEMAP = "/proc/self/pagemap"
_ENTRY_BYTES = 8
_PRESENT, _SWAPPED, _OF_FILE = 0x80, 0x40, 0x20
_CONTIGUOUS_IN_ANY_ORDER = 0x9C


def _is_unwritten(top: int) -> bool:
    """Tell from the top byte of a page's entry: never touched, or present and the file's own."""
    return not top & _SWAPPED and (not top & _PRESENT or bool(top & _OF_FILE))


_UNWRITTEN = bytes(top for top in range(256) if _is_unwritten(top))


def pages_unwritten(address: int, length: int) -> bool:
    """Say whether no page of a private file mapping was written; False where that can not be known.

    A written page has left the file: Linux shows it as anonymous, or as swapped out (see
    Documentation/admin-guide/mm/pagemap.rst, bits 61 to 63).
    """
    first = address // mmap.PAGESIZE
    wanted = (-(-(address + length) // mmap.PAGESIZE) - first) * _ENTRY_BYTES
    try:
        # Opened anew each time: an open one goes on showing the memory of the parent after a fork.
        handle = os.open(_PAGEMAP, os.O_RDONLY | os.O_CLOEXEC)
        try:
            entries = os.pread(handle, wanted, first * _ENTRY_BYTES)
        finally:
            os.close(handle)
    except OSError:
        return False
    return len(entries) == wanted and not entries[7::_ENTRY_BYTES].translate(None, _UNWRITTEN)


class _Buffer(ctypes.Structure):
    """Py_buffer, as CPython's stable ABI has it."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_Buffer)]
_release_buffer.restype = None


@contextmanager
def addressed(view: memoryview) -> Iterator[int]:
    """Give the address of a contiguous buffer, writable or not, which stays where it is meanwhile.

    Raises BufferError when it is not contiguous.
    """
    buffer = _Buffer()
    _get_buffer(view, ctypes.byref(buffer), _CONTIGUOUS_IN_ANY_ORDER)
    try:
        yield buffer.buf or 0
    finally:
        _release_buffer(ctypes.byref(buffer))
