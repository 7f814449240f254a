"""The body of one unary gRPC request in, its message out; and the bytes of an answer. Pure.

Messages here have few fields, all of them bytes or small numbers: docs of protocol buffers' encoding
are enough to write them.
"""

from __future__ import annotations

import struct

from chainctl.adapters.docker.trace_wire import TraceError, fields

LARGEST_REQUEST = 1 << 16
_PREFIX = struct.Struct(">BI")


class SessionWireError(ValueError):
    """The bytes are no request that a session answers."""


def unary_message(body: bytes | bytearray) -> bytes:
    """Return the one message of a request. Raises SessionWireError."""
    if len(body) < _PREFIX.size:
        raise SessionWireError("the request has no message")
    compressed, size = _PREFIX.unpack_from(body)
    if compressed:
        raise SessionWireError("the message is compressed")
    if size != len(body) - _PREFIX.size:
        raise SessionWireError("the request is not one whole message")
    return bytes(body[_PREFIX.size :])


def text_field(message: bytes, number: int) -> str:
    """Return a field of text, "" when it is not there. Raises SessionWireError."""
    try:
        values = [value for found, value in fields(message) if found == number]
    except TraceError as error:
        raise SessionWireError(str(error)) from None
    value = values[-1] if values else b""
    if isinstance(value, int):
        raise SessionWireError(f"field {number} is a number")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SessionWireError(f"field {number} is no text") from None


def bytes_field(number: int, value: bytes) -> bytes:
    """Encode one field; an empty one is left out, as it is the default."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value if value else b""


def framed(message: bytes) -> bytes:
    """Put the prefix of gRPC before a message."""
    return _PREFIX.pack(0, len(message)) + message


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
