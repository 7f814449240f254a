"""Bytes of one protocol buffers message in; its numbered fields out, with neither schema nor recursion."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST_VARINT = 10


class TraceError(ValueError):
    """The bytes are no message of BuildKit's trace."""


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (number, value) of every field: integers for numbers, bytes for everything else.

    Takes time in proportion to the data. Raises TraceError for bytes that are no message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise TraceError("a field has no number")
        if wire_type == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _size(data, at, wire_type)
        if size > len(data) - at:
            raise TraceError("a field is longer than its message")
        yield number, data[at : at + size]
        at += size


def _size(data: bytes, at: int, wire_type: int) -> tuple[int, int]:
    match wire_type:
        case 1:
            return 8, at
        case 2:
            return _varint(data, at)
        case 5:
            return 4, at
        case _:
            raise TraceError(f"unknown wire type {wire_type}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise TraceError("a number has no end")
