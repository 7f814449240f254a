"""Bytes of an attached command in; what it wrote to stdout, and how many of the bytes were whole frames, out. Pure."""

from __future__ import annotations

import struct

_HEAD = struct.Struct(">BxxxL")
_STDOUT = 1


def unframed(data: bytes) -> tuple[bytes, int]:
    """Take whole frames off the front; stderr is left out."""
    output, place = bytearray(), 0
    while len(data) - place >= _HEAD.size:
        stream, length = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + length
        if end > len(data):
            break
        if stream == _STDOUT:
            output += data[place + _HEAD.size : end]
        place = end
    return bytes(output), place
