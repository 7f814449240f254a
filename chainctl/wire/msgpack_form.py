"""Plain values in, msgpack as `msgpack` and `msgpack_numpy` write it out, and back from bytes of strangers."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import sys
import uuid
from typing import Any

import msgpack
from pydantic_core import to_jsonable_python

from chainctl.wire.frame import Buffer
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.msgpack_reader import TooManyValues, read

_DIRECT_BYTES = 64 * 1024
_AS_TEXT = (
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)


def packed(value: Any) -> bytes:
    """Return a value as msgpack. Raises ValueError, TypeError for what has no form in it."""
    try:
        packed: bytes = msgpack.packb(value, default=_plain, use_bin_type=True)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return packed


def unpacked(data: Buffer) -> Any:
    """Return the value of a message. Raises InvalidValue.

    The bytes are walked once before anything is made of them: lengths that lie would otherwise
    reserve memory. In large messages of few values, arrays are views of `data`.
    """
    _require_well_formed(data)
    try:
        return _in_place(data) if len(data) >= _DIRECT_BYTES else _copied(data)
    except TooManyValues:
        return _copied(data)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidValue.malformed(f"invalid msgpack: {error}") from None


def _in_place(data: Buffer) -> Any:
    view = memoryview(data)
    return read(memoryview(bytearray(view)) if view.readonly else view, _restored)


def _copied(data: Buffer) -> Any:
    try:
        return msgpack.unpackb(
            data, raw=False, strict_map_key=False, timestamp=3, object_hook=_restored, use_list=True
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidValue.malformed(f"invalid msgpack: {error}") from None


def _require_well_formed(data: Buffer) -> None:
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(data), 1), strict_map_key=False)
    unpacker.feed(data)
    try:
        unpacker.skip()
    except msgpack.OutOfData:
        raise InvalidValue.malformed("invalid msgpack: it ends early") from None
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidValue.malformed(f"invalid msgpack: {error or type(error).__name__}") from None
    if unpacker.tell() != len(data):
        raise InvalidValue.malformed("invalid msgpack: there are bytes after its end")


def _plain(value: Any) -> Any:
    """Write what msgpack has no form for: arrays as msgpack_numpy does, the rest as in JSON."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _array_form(value)
    if numpy is not None and isinstance(value, (numpy.bool_, numpy.number)):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}
    if isinstance(value, complex):
        return {b"complex": True, b"data": repr(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, _AS_TEXT):
        return to_jsonable_python(value)
    raise TypeError(f"{type(value).__name__} has no form in msgpack")


def _array_form(array: Any) -> dict[bytes, Any]:
    if array.dtype.hasobject:
        raise TypeError("arrays of objects cannot be sent")
    is_structured = array.dtype.kind == "V"
    return {
        b"nd": True,
        b"type": array.dtype.descr if is_structured else array.dtype.str,
        b"kind": b"V" if is_structured else b"",
        b"shape": array.shape,
        b"data": array.tobytes(),
    }


def _restored(form: dict[Any, Any]) -> Any:
    """Make an array, a scalar or a complex number of msgpack_numpy's maps. Raises ValueError."""
    if b"nd" in form or "nd" in form:
        fields = {key.decode() if isinstance(key, bytes) else key: value for key, value in form.items()}
        if fields.keys() >= {"nd", "type", "data"}:
            return _array(fields)
    if b"complex" in form and b"data" in form:
        return complex(str(form[b"data"]))
    return form


def _array(form: dict[str, Any]) -> Any:
    import numpy

    from chainctl.pydantic_numpy import dtype_of

    dtype = dtype_of(_texts(form["type"]))
    data = form["data"]
    shape = tuple(form.get("shape", ())) if form["nd"] is True else ()
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ValueError("an array's data is no bytes")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("an array's shape is no list of sizes")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"shape {list(shape)} of {dtype} does not fit {len(data)} bytes")
    if not len(data):
        return numpy.empty(shape, dtype)
    writable = data if isinstance(data, memoryview) else bytearray(data)
    array = numpy.ndarray(shape, dtype, writable)
    return array if form["nd"] is True else array[()]


def _texts(form: Any) -> Any:
    """msgpack_numpy's description of fields with texts only; empty names are those of gaps."""
    if isinstance(form, bytes):
        return form.decode()
    return [_texts(item) for item in form] if isinstance(form, (list, tuple)) else form
