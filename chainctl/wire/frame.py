"""A JSON header and raw buffers in; one message that holds both without copying any buffer out, and back.

All numbers are little-endian. Prefix: magic, length of the header, number of buffers, length of the
references (16 bytes). Then for each buffer: its length (8 bytes), its kind (4), the index of its
reference (4). Then the references as a JSON list, then the header. Buffers follow, the start of
each a multiple of 64 bytes, as vector instructions like it; those kept elsewhere are only referred to.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

from chainctl.wire.invalid import InvalidValue

Buffer = Union[bytes, bytearray, memoryview]
Place = Callable[[memoryview], Optional[str]]
Find = Callable[[str, int], memoryview]

_PREFIX = struct.Struct("<4sIII")
_ENTRY = struct.Struct("<QII")
_MAGIC = b"CHF1"
_ALIGNMENT = 64
_INLINE, _ELSEWHERE = 0, 1
_MOST_REFERENCE_BYTES = 1 << 20
_MOST_HEADER_BYTES = 0xFFFFFFFF


class BufferSink:
    """Collects the buffers of one message while its header is written."""

    def __init__(self) -> None:
        self.buffers: list[memoryview] = []

    def add(self, buffer: Buffer) -> int:
        """Keep a buffer, return its index in the header."""
        self.buffers.append(memoryview(buffer).cast("B"))
        return len(self.buffers) - 1


class BufferSource:
    """Gives the buffers of one message while its header is read.

    Each may be asked for often: where a type is a union, every alternative is tried. `is_misled` is
    set once a header asked for a buffer that the message does not have.
    """

    def __init__(self, buffers: Sequence[memoryview]) -> None:
        self._buffers = buffers
        self._copies: dict[int, bytes] = {}
        self.is_misled = False

    def get(self, index: Any) -> memoryview:
        """Return a buffer by its index. Raises ValueError."""
        if type(index) is not int or not 0 <= index < len(self._buffers):
            self.is_misled = True
            raise ValueError("there is no such buffer in the message")
        return self._buffers[index]

    def get_bytes(self, index: Any) -> bytes:
        """Return a copy of a buffer, the same one each time. Raises ValueError."""
        buffer = self.get(index)
        if index not in self._copies:
            self._copies[index] = bytes(buffer)
        return self._copies[index]


def framed(header: bytes, buffers: Sequence[memoryview], place: Optional[Place] = None) -> list[Buffer]:
    """Return a message as parts to be written one after the other; buffers are parts themselves.

    `place` may put a buffer elsewhere and return a reference to it.
    """
    references = [place(buffer) if place else None for buffer in buffers]
    named = [reference for reference in references if reference is not None]
    listed = json.dumps(named).encode() if named else b""
    if max(len(header), len(listed)) > _MOST_HEADER_BYTES:
        raise ValueError(f"what is not bytes or arrays is larger than {_MOST_HEADER_BYTES} bytes")
    head = [_PREFIX.pack(_MAGIC, len(header), len(buffers), len(listed))]
    index = 0
    for buffer, reference in zip(buffers, references, strict=True):
        kind = (_INLINE, 0) if reference is None else (_ELSEWHERE, index)
        head.append(_ENTRY.pack(len(buffer), *kind))
        index += reference is not None
    start = b"".join([*head, listed, header])
    parts: list[Buffer] = [start]
    size = len(start)
    for buffer, reference in zip(buffers, references, strict=True):
        if reference is None:
            padding = -size % _ALIGNMENT
            parts += [bytes(padding), buffer] if padding else [buffer]
            size += padding + len(buffer)
    return parts


def joined(parts: Sequence[Buffer]) -> bytes:
    """Return a message in one piece."""
    return b"".join(parts)


def unframed(message: Buffer, find: Optional[Find] = None) -> tuple[memoryview, list[memoryview]]:
    """Return the header and the buffers of a message, as views of it. Raises InvalidValue.

    `find` returns the buffer that a reference names. Views can be written to; a message that
    cannot is copied first.
    """
    view = memoryview(message).cast("B")
    if view.readonly:
        view = memoryview(bytearray(view))
    if len(view) < _PREFIX.size:
        raise _malformed("it is shorter than its prefix")
    magic, header_bytes, count, reference_bytes = _PREFIX.unpack_from(view)
    if magic != _MAGIC:
        raise _malformed("it does not begin like one")
    entries_end = _PREFIX.size + count * _ENTRY.size
    header_start = entries_end + reference_bytes
    position = header_start + header_bytes
    if position > len(view):
        raise _malformed("it is shorter than it says")
    references = _references(view[entries_end:header_start])
    buffers = []
    for entry in range(count):
        length, kind, index = _ENTRY.unpack_from(view, _PREFIX.size + entry * _ENTRY.size)
        if kind == _ELSEWHERE:
            buffers.append(_found(references, index, length, find))
            continue
        if kind != _INLINE:
            raise _malformed(f"buffer {entry} is of an unknown kind")
        position += -position % _ALIGNMENT
        if length > len(view) - position:
            raise _malformed(f"buffer {entry} is longer than what is there")
        buffers.append(view[position : position + length])
        position += length
    if position != len(view):
        raise _malformed("there are bytes after its end")
    return view[header_start : header_start + header_bytes], buffers


def _references(listed: memoryview) -> list[str]:
    if not listed:
        return []
    if len(listed) > _MOST_REFERENCE_BYTES:
        raise _malformed("its references are too long")
    try:
        references = json.loads(bytes(listed))
    except (ValueError, RecursionError):
        raise _malformed("its references are no JSON") from None
    if not isinstance(references, list) or not all(isinstance(item, str) for item in references):
        raise _malformed("its references are no list of texts")
    return references


def _found(references: list[str], index: int, length: int, find: Optional[Find]) -> memoryview:
    if find is None or index >= len(references):
        raise _malformed("a buffer is kept where it cannot be found")
    try:
        buffer = find(references[index], length)
    except (ValueError, LookupError, OSError) as error:
        raise _malformed(str(error)) from error
    if len(buffer) != length:
        raise _malformed(f"a buffer kept elsewhere has {len(buffer)} bytes, not {length}")
    return buffer


def _malformed(why: str) -> InvalidValue:
    return InvalidValue.malformed(f"the message is no frame: {why}")
