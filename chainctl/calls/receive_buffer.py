"""The length of a body in; a writable buffer of that length, not filled with zeros where that can be spared, out."""

from __future__ import annotations

import sys

DIRECT_BYTES = 16 * 1024
"""Bodies that are larger are received in place; smaller ones pass through the parser."""


def new_buffer(length: int) -> memoryview:
    """Return a buffer of `length` bytes.

    numpy, where user code has loaded it, allocates without writing zeros first.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "empty"):
        return memoryview(numpy.empty(length, "uint8"))
    return memoryview(bytearray(length))
