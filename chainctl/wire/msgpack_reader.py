"""A msgpack message of few values in; the values out, data of arrays as views of the message.

For messages that are mostly arrays: the library copies their data, this does not. See the msgpack
specification, "Formats". No length is believed before as many bytes were seen to be there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from msgpack.ext import ExtType, Timestamp

MOST_VALUES = 4096
_MOST_DEPTH = 128
_NUMBERS = {
    0xCA: struct.Struct(">f"), 0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"), 0xCD: struct.Struct(">H"), 0xCE: struct.Struct(">I"), 0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"), 0xD1: struct.Struct(">h"), 0xD2: struct.Struct(">i"), 0xD3: struct.Struct(">q"),
}  # fmt: skip
_SIZES = {
    0xC4: 1, 0xC5: 2, 0xC6: 4,  # bytes
    0xC7: 1, 0xC8: 2, 0xC9: 4,  # extensions
    0xD9: 1, 0xDA: 2, 0xDB: 4,  # texts
    0xDC: 2, 0xDD: 4,  # lists
    0xDE: 2, 0xDF: 4,  # maps
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_TIMESTAMP = -1


class TooManyValues(Exception):
    """The message has so many values that reading them one by one takes long."""


class BadMessage(ValueError):
    """The bytes are no message."""


def read(message: memoryview, hook: Callable[[dict[Any, Any]], Any]) -> Any:
    """Return the value of a message; `hook` is given each map, in which bytes are views.

    Raises BadMessage, TooManyValues.
    """
    reader = _Reader(message, hook)
    try:
        value = reader.value(0)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise BadMessage(str(error)) from None
    if reader.at != len(message):
        raise BadMessage("there are bytes after its end")
    return value


class _Reader:
    def __init__(self, message: memoryview, hook: Callable[[dict[Any, Any]], Any]) -> None:
        self.at = 0
        self._message = message
        self._hook = hook
        self._left = MOST_VALUES

    def value(self, depth: int) -> Any:
        return _owned(self._value(depth))

    def _value(self, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MOST_DEPTH:
            raise TooManyValues
        code = self._take(1)[0]
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self._number(_NUMBERS[code])
        return self._sized(code, depth)

    def _sized(self, code: int, depth: int) -> Any:
        if code < 0x90:
            return self._map(code & 0x0F, depth)
        if code < 0xA0:
            return self._list(code & 0x0F, depth)
        if code < 0xC0:
            return self._text(code & 0x1F)
        if code == 0xC1:
            raise ValueError("there is no such format")
        if 0xD4 <= code <= 0xD8:
            return self._extension(1 << (code - 0xD4))
        size = int.from_bytes(self._take(_SIZES[code]), "big")
        if code <= 0xC6:
            return self._take(size)
        if code <= 0xC9:
            return self._extension(size)
        if code <= 0xDB:
            return self._text(size)
        return self._list(size, depth) if code <= 0xDD else self._map(size, depth)

    def _number(self, form: struct.Struct) -> Any:
        return form.unpack(self._take(form.size))[0]

    def _text(self, size: int) -> str:
        return str(self._take(size), "utf-8")

    def _list(self, size: int, depth: int) -> list[Any]:
        self._afford(size)
        return [self.value(depth + 1) for _ in range(size)]

    def _map(self, size: int, depth: int) -> Any:
        self._afford(2 * size)
        form: dict[Any, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            form[key] = self._value(depth + 1)
        if len(form) != size:
            raise ValueError("a key is there twice")
        restored = self._hook(form)
        return {key: _owned(value) for key, value in form.items()} if restored is form else restored

    def _extension(self, size: int) -> Any:
        code = self._number(_NUMBERS[0xD0])
        data = bytes(self._take(size))
        if code == _TIMESTAMP:
            return Timestamp.from_bytes(data).to_datetime()
        return ExtType(code, data)

    def _afford(self, values: int) -> None:
        if values > self._left:
            raise TooManyValues

    def _take(self, size: int) -> memoryview:
        start, self.at = self.at, self.at + size
        if self.at > len(self._message):
            raise ValueError("it ends early")
        return self._message[start : self.at]


def _owned(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
