"""A numpy array as the field of a pydantic model. Needs pydantic and numpy only: copy it into any client.

In Python mode the value is the array itself. In JSON it is `{"shape", "dtype", "data_b64"}`, where
`data_b64` is the base64 of `array.tobytes()`, in C order. Arrays that were read can be written to.

Where `info.context` holds "chainctl_buffers", the bytes are not in the JSON: they are put into that
object when it is written (`add`), and taken from it, without a copy, when it is read (`get`).
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

BUFFERS = "chainctl_buffers"
_NAMED_KINDS = "biufc"


class NumpyArrayField:
    """Holds an `array` of any type but objects."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        if array.dtype.hasobject:
            raise ValueError("arrays of objects cannot be sent: give the array a type of fixed size")
        self.array = array

    def __repr__(self) -> str:
        return f"NumpyArrayField(shape={self.array.shape}, dtype={self.array.dtype}, data=[\n{self.array}])"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumpyArrayField):
            return NotImplemented
        mine, theirs = self.array, other.array
        return (
            mine.dtype == theirs.dtype and mine.shape == theirs.shape and mine.tobytes() == theirs.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]  # as of everything that can change

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validated,
            metadata={BUFFERS: True},
            serialization=core_schema.plain_serializer_function_ser_schema(_serialized, info_arg=True),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "object",
            "properties": {
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "dtype": {"anyOf": [{"type": "string"}, {"type": "array"}]},
                "data_b64": {"type": "string", "contentEncoding": "base64"},
            },
            "required": ["shape", "dtype", "data_b64"],
        }


def _validated(value: Any, info: pydantic.ValidationInfo) -> NumpyArrayField:
    if isinstance(value, NumpyArrayField):
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        return NumpyArrayField(value if value.flags.writeable else value.copy())
    if isinstance(value, dict) and "$buffer" in value:
        return NumpyArrayField(_from_buffer(value, info.context))
    if isinstance(value, dict) and {"shape", "dtype", "data_b64"} <= value.keys():
        return NumpyArrayField(_array(value, _decoded(value["data_b64"])))
    raise ValueError("give a numpy array, or an object of `shape`, `dtype` and `data_b64`")


def _serialized(value: NumpyArrayField, info: pydantic.SerializationInfo) -> Any:
    array = value.array
    if info.mode != "json":
        return array
    form = {"shape": list(array.shape), "dtype": dtype_form(array.dtype)}
    sink = info.context.get(BUFFERS) if isinstance(info.context, dict) else None
    if sink is None:
        return {**form, "data_b64": base64.b64encode(array.tobytes()).decode("ascii")}
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return {"$buffer": sink.add(_raw(array, order)), **form, "order": order}


def _raw(array: np.ndarray[Any, Any], order: str) -> memoryview:
    """The bytes of an array in memory order; only one that is in pieces is copied."""
    flat = array.ravel(order="K") if order == "F" else np.ascontiguousarray(array).reshape(-1)
    data: Any = flat.view(np.uint8) if flat.size and flat.dtype.itemsize else b""
    return memoryview(data)


def _from_buffer(form: dict[str, Any], context: Any) -> np.ndarray[Any, Any]:
    source = context.get(BUFFERS) if isinstance(context, dict) else None
    if source is None:
        raise ValueError("the array's bytes are not here")
    return _array(form, source.get(form["$buffer"]), "F" if form.get("order") == "F" else "C")


def _decoded(text: Any) -> bytearray:
    if not isinstance(text, str):
        raise ValueError("`data_b64` is base64 text")
    try:
        return bytearray(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"`data_b64` is no base64: {error}") from None


def _array(form: dict[str, Any], data: Any, order: Any = "C") -> np.ndarray[Any, Any]:
    """Lay an array over bytes. What shape and type claim is compared with the bytes first."""
    shape, dtype = _shape(form.get("shape")), dtype_of(form.get("dtype"))
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"shape {list(shape)} of {dtype} does not fit {len(data)} bytes")
    if not len(data):
        return np.empty(shape, dtype, order)
    return np.ndarray(shape, dtype, data, order=order)


def _shape(value: Any) -> tuple[int, ...]:
    is_list = isinstance(value, (list, tuple)) and len(value) <= 32
    if not is_list or not all(type(n) is int and 0 <= n < 2**62 for n in value):
        raise ValueError("`shape` is a list of at most 32 sizes")
    return tuple(value)


def dtype_form(dtype: np.dtype[Any]) -> Any:
    """Return a dtype in JSON: a text, or a list of fields."""
    if dtype.kind in _NAMED_KINDS and dtype.isnative:
        return dtype.name
    return _listed(np.lib.format.dtype_to_descr(dtype)) if dtype.names else dtype.str


def dtype_of(form: Any) -> np.dtype[Any]:
    """Return the dtype that a JSON form means. Raises ValueError."""
    try:
        dtype = np.dtype(form) if isinstance(form, str) else np.lib.format.descr_to_dtype(_tupled(form))
    except (TypeError, ValueError, KeyError, IndexError, SyntaxError, OverflowError, RecursionError) as error:
        raise ValueError(f"{form!r:.100} is no dtype: {error}") from None
    if dtype.hasobject or dtype.subdtype is not None:
        raise ValueError(f"arrays of {dtype} cannot be sent")
    return dtype


def _listed(descr: Any) -> Any:
    return [_listed(item) for item in descr] if isinstance(descr, (list, tuple)) else descr


def _tupled(form: Any) -> Any:
    """Fields are tuples of a name, a type and perhaps a shape."""
    if not isinstance(form, list):
        raise ValueError("a dtype is a text or a list of fields")
    return [_field(field) for field in form]


def _field(field: Any) -> tuple[Any, ...]:
    if not isinstance(field, (list, tuple)) or not 2 <= len(field) <= 3:
        raise ValueError("a field is a name, a type and perhaps a shape")
    name = tuple(field[0]) if isinstance(field[0], list) else field[0]
    kind = field[1] if isinstance(field[1], str) else _tupled(field[1])
    return (name, kind, *(_shape(size) for size in field[2:]))
