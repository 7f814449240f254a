"""The name of a form and a size in, the body of a request out, with what an answer to it must hold."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.bench.floor.receiver import Buffer

FAN_SUM = 152
"""What 16 calls with 1, 2, … 16 give together, each adding one."""
_NUMBER = re.compile(rb"-?\d+")


@dataclass(frozen=True, slots=True)
class Body:
    """A body in parts, and the check of an answer (used once: it may be slow)."""

    parts: tuple[Buffer, ...]
    is_right: Callable[[Buffer], bool]

    @property
    def length(self) -> int:
        return sum(map(len, self.parts))


def body_of(form: str, size: int) -> Body:
    """Make a body. `size` is the bytes of the array, or for numbers what must come back."""
    return FORMS[form](size)


def _number(expected: int) -> Body:
    return Body((b'{"n": 1}',), lambda answer: _last_number(answer) == expected)


def _last_number(answer: Buffer) -> int | None:
    found = _NUMBER.findall(bytes(answer))
    return int(found[-1]) if found else None


def _raw(size: int) -> Body:
    return Body((_array(size),), lambda answer: answer == _array(size))


def _msgpack(size: int) -> Body:
    """Write `{"block": {"array": …}}` as msgpack with msgpack_numpy does."""
    head = _fixmap(1) + _text("block") + _fixmap(1) + _text("array") + _fixmap(5)
    head += _bin(b"nd") + b"\xc3" + _bin(b"type") + _text("<f4") + _bin(b"kind") + _bin(b"")
    head += _bin(b"shape") + b"\x91" + struct.pack(">BI", 0xCE, size // 4)
    head += _bin(b"data") + struct.pack(">BI", 0xC6, size)
    return Body((head, _array(size)), lambda answer: _holds(answer, size))


def _frame(size: int) -> Body:
    """Write the same as a frame: a JSON header, then the array as it is."""
    array = {"$buffer": 0, "dtype": "<f4", "shape": [size // 4], "order": "C"}
    header = json.dumps({"block": {"array": array}}).encode()
    prefix = struct.pack("<4sIII", b"CHF1", len(header), 1, 2) + struct.pack("<QII", size, 0, 0) + b"[]"
    head = prefix + header
    head += bytes(-len(head) % 64)
    return Body((head, _array(size), bytes(-size % 64)), lambda answer: _holds(answer, size))


def _base64(size: int) -> Body:
    """Write `{"data": …}` as JSON, for those that take nothing else."""
    data = base64.b64encode(_array(size))
    return Body((b'{"data": "', data, b'"}'), lambda answer: data in bytes(answer))


FORMS: dict[str, Callable[[int], Body]] = {
    "number": _number,
    "raw": _raw,
    "msgpack": _msgpack,
    "frame": _frame,
    "base64": _base64,
}


def _array(size: int) -> memoryview:
    return np.arange(size // 4, dtype=np.float32).data.cast("B")


def _holds(answer: Buffer, size: int) -> bool:
    return bytes(answer).find(_array(size)) >= 0


def _fixmap(count: int) -> bytes:
    return bytes([0x80 | count])


def _text(value: str) -> bytes:
    return bytes([0xA0 | len(value)]) + value.encode()


def _bin(value: bytes) -> bytes:
    return bytes([0xC4, len(value)]) + value
