"""A map of a msgpack message in; what it stands for out: an array, a number, a time, or the map itself.

Maps with a tag come from msgpack_numpy (arrays, its numbers, complex numbers) and from Truss (times,
decimals, UUIDs). Old clients have texts for keys where newer ones have bytes.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Mapping
from typing import Any

_ARRAYS = (frozenset(["nd", "type", "kind", "shape", "data"]), frozenset(["nd", "type", "shape", "data"]))
_NUMBER = frozenset(["nd", "type", "data"])
_BYTES = (bytes, bytearray, memoryview)


def restored(form: dict[Any, Any]) -> Any:
    """Return what a map stands for, the map where it stands for itself. Raises ValueError."""
    if not 2 <= len(form) <= 5:
        return form
    if b"data" in form:
        return _tagged({_text(key): value for key, value in form.items()}, form)
    if "data" in form and all(type(key) is str for key in form):
        return _tagged(form, form)
    return form


def _tagged(fields: Mapping[Any, Any], form: dict[Any, Any]) -> Any:
    """Return what a map of these fields stands for."""
    if "nd" in fields and isinstance(fields["data"], _BYTES):
        return _of_numpy(fields, form)
    tag = next((key for key in fields if key in _TAGS), None)
    if tag is None or len(fields) != 2 or fields[tag] is not True:
        return form
    return _of_tag(_TAGS[tag], fields["data"])


def _of_numpy(fields: Mapping[Any, Any], form: dict[Any, Any]) -> Any:
    try:
        from chainctl.pydantic_numpy import array_over
    except ImportError:
        raise ValueError("this is an array, and numpy is not installed here") from None
    if fields["nd"] is True and fields.keys() in _ARRAYS:
        if _text(fields.get("kind")) == "O":
            raise ValueError("pickled arrays of objects are not read")
        return array_over(_writable(fields["data"]), fields["shape"], _texts(fields["type"]))
    if fields["nd"] is False and fields.keys() == _NUMBER:
        return array_over(_writable(fields["data"]), (), _texts(fields["type"]))[()]
    return form


def _of_tag(read: Callable[[Any], Any], data: Any) -> Any:
    form = _texts(data)
    if not isinstance(form, (str, list)):
        raise ValueError(f"this is not what its tag says: {type(form).__name__}")
    try:
        return read(form)
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"this is not what its tag says: {error}") from None


def _datetime(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


_TAGS: Mapping[Any, Callable[[Any], Any]] = {
    "complex": complex,
    "__dt_datetime_iso__": _datetime,
    "__dt_date_iso__": datetime.date.fromisoformat,
    "__dt_time_iso__": datetime.time.fromisoformat,
    "__dt_timedelta__": lambda parts: datetime.timedelta(*parts),
    "__decimal__": decimal.Decimal,
    "__uuid__": uuid.UUID,
}


def _writable(data: Any) -> Any:
    """Copy bytes that the library made; views are of a message that can be written to."""
    return bytearray(data) if isinstance(data, bytes) else data


def _text(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, _BYTES) else value


def _texts(form: Any) -> Any:
    """Turn bytes into texts, also in lists: types and their fields."""
    return [_texts(item) for item in form] if isinstance(form, (list, tuple)) else _text(form)
