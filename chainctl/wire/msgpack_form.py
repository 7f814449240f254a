"""Plain values in, msgpack as `msgpack` and `msgpack_numpy` write it out, and back from bytes of strangers.

What neither of them has a form for is written as it is in JSON: pydantic reads it back by its type.
"""

from __future__ import annotations

import enum
import sys
from collections import deque
from collections.abc import Set
from typing import Any

import msgpack
from pydantic_core import to_jsonable_python

from chainctl.wire.frame import Buffer
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.msgpack_reader import BadMessage, TooManyValues, read
from chainctl.wire.msgpack_tags import restored

try:  # not from the package itself: msgpack_numpy.patch() replaces these three there
    from msgpack._cmsgpack import Packer, Unpacker, unpackb
except ImportError:
    from msgpack.fallback import Packer, Unpacker, unpackb

_DIRECT_BYTES = 64 * 1024
_PLAIN = (str, bytes, int, float, list, tuple, dict, type(None))


def packed(value: Any) -> bytes:
    """Return a value as msgpack. Raises ValueError, TypeError for what has no form in it."""
    try:
        message: bytes = Packer(default=_form).pack(value)
    except OverflowError as error:
        raise ValueError(f"msgpack has no numbers of more than 64 bits: {error}") from error
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
    return message


def unpacked(message: Buffer) -> Any:
    """Return the value of a message. Raises InvalidValue.

    In large messages of few values, arrays are views of the message if it can be written to.
    """
    if len(message) < _DIRECT_BYTES:
        return _copied(message)
    view = memoryview(message).cast("B")
    try:
        return read(memoryview(bytearray(view)) if view.readonly else view, restored)
    except BadMessage as error:
        raise _malformed(error) from None
    except TooManyValues:
        return _copied(message)


def _copied(message: Buffer) -> Any:
    """Read with the library, which is fast with many values."""
    _require_well_formed(message)
    try:
        return unpackb(message, strict_map_key=False, timestamp=3, object_pairs_hook=_map)
    except (ValueError, TypeError, OverflowError, RecursionError, ArithmeticError) as error:
        raise _malformed(error) from None


def _require_well_formed(message: Buffer) -> None:
    """Walk a message before anything is made of it: lengths that lie would make the library reserve memory."""
    unpacker = Unpacker(max_buffer_size=max(len(message), 1), strict_map_key=False)
    unpacker.feed(message)
    try:
        unpacker.skip()
    except msgpack.OutOfData:
        raise _malformed("it ends early") from None
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise _malformed(error) from None
    if unpacker.tell() != len(message):
        raise _malformed("there are bytes after its end")


def _map(pairs: list[tuple[Any, Any]]) -> Any:
    form = dict(pairs)
    if len(form) != len(pairs):
        raise ValueError("a key is there twice")
    return restored(form)


def _malformed(why: object) -> InvalidValue:
    if isinstance(why, (msgpack.StackError, RecursionError)):
        why = "it is nested too deeply"
    elif isinstance(why, msgpack.FormatError):
        why = "a byte in it begins no value"
    return InvalidValue.malformed(f"invalid msgpack: {str(why) or type(why).__name__}")


def _form(value: Any) -> Any:
    """Write what msgpack does not know: arrays as msgpack_numpy does, the rest as in JSON."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _array_form(value)
    if numpy is not None and isinstance(value, (numpy.bool_, numpy.number)):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}
    if isinstance(value, complex):
        return {b"complex": True, b"data": repr(value)}
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, _PLAIN) else _form(value.value)
    if isinstance(value, (Set, deque)):
        return list(value)
    return to_jsonable_python(value, inf_nan_mode="constants", bytes_mode="base64")


def _array_form(array: Any) -> dict[bytes, Any]:
    from chainctl.pydantic_numpy import raw_bytes

    if array.dtype.hasobject:
        raise TypeError(f"arrays of {array.dtype} cannot be sent")
    is_void = array.dtype.kind == "V"
    return {
        b"nd": True,
        b"type": array.dtype.descr if is_void else array.dtype.str,
        b"kind": b"V" if is_void else b"",
        b"shape": array.shape,
        b"data": raw_bytes(array),
    }
