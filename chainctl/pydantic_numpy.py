"""A numpy array as the field of a pydantic model. Needs pydantic and numpy only: copy it into any client.

In Python mode the value is the array itself. In JSON it is `{"shape", "dtype", "data_b64"}`, where
`data_b64` is the base64 of `array.tobytes()`, in C order. Arrays that were read can be written to.

Where `info.context` holds "chainctl_buffers", the bytes are not in the JSON: they are put into that
object when it is written (`add`), and taken from it, without a copy, when it is read (`get`).
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any, Union

import numpy as np
import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticSerializationUnexpectedValue, core_schema

BUFFERS = "chainctl_buffers"
_NAMED_KINDS = "biufc"
_MOST_DIMENSIONS = 64
_MOST_FIELDS = 1024
# Types by number, by unit and by name; numpy would also take lists of types in one text.
_DTYPE = re.compile(
    r"[<>=|]?(?:[biufcSUV]\d{1,8}|[?]|[mM]8(?:\[\d{0,10}[A-Za-z]{1,7}\])?)"
    r"|(?:datetime64|timedelta64)(?:\[\d{0,10}[A-Za-z]{1,7}\])?"
    r"|(?:u?int|float|complex)\d{0,3}|bool|half|single|double|longdouble"
)


class NumpyArrayField:
    """Holds an `array` of any type but objects."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = _sendable(array)

    def __repr__(self) -> str:
        return f"NumpyArrayField(shape={self.array.shape}, dtype={self.array.dtype}, data={self._rows()})"

    def _rows(self) -> str:
        """The array as numpy prints it, with its rows at the start of lines."""
        text = str(self.array)
        return "[\n{}]".format(text[1:-1].replace("\n ", "\n")) if self.array.ndim else text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumpyArrayField):
            return NotImplemented
        mine, theirs = self.array, other.array
        if mine.dtype != theirs.dtype or mine.shape != theirs.shape:
            return False
        return mine.tobytes() == theirs.tobytes() or bool(np.array_equal(mine, theirs))

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
                "dtype": {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}]},
                "data_b64": {"type": "string", "contentEncoding": "base64"},
            },
            "required": ["shape", "dtype", "data_b64"],
        }


def _sendable(array: Any) -> np.ndarray[Any, Any]:
    """Return an array if its bytes say all that there is to say about it. Raises ValueError."""
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError("masked arrays cannot be sent: fill them, or send the mask beside the data")
    plain = np.asarray(array)
    if plain.dtype.hasobject:
        raise ValueError(f"arrays of {plain.dtype} cannot be sent: give the array a type of fixed size")
    if not plain.dtype.itemsize:
        raise ValueError(f"arrays of {plain.dtype} cannot be sent: their items have no size")
    return plain


def _validated(value: Any, info: pydantic.ValidationInfo) -> NumpyArrayField:
    if isinstance(value, NumpyArrayField):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        field = NumpyArrayField(value)  # type: ignore[arg-type]  # scalars are arrays without dimensions
        if not field.array.flags.writeable and _buffers(info) is None:
            field.array = field.array.copy(order="K")
        return field
    if isinstance(value, dict) and "$buffer" in value:
        return NumpyArrayField(_from_buffer(value, info))
    if isinstance(value, dict) and value.keys() >= {"shape", "dtype", "data_b64"}:
        return NumpyArrayField(array_over(_decoded(value["data_b64"]), value["shape"], value["dtype"]))
    raise ValueError("give a numpy array, or an object of `shape`, `dtype` and `data_b64`")


def _serialized(value: Any, info: pydantic.SerializationInfo) -> Any:
    if not isinstance(value, NumpyArrayField):
        raise PydanticSerializationUnexpectedValue(f"{type(value).__name__} is no NumpyArrayField")
    if info.mode != "json":
        return value.array
    array = _sendable(value.array)
    shape, dtype = list(array.shape), dtype_form(array.dtype)
    sink = _buffers(info)
    if sink is None:
        text = base64.b64encode(raw_bytes(array)).decode("ascii")
        return {"shape": shape, "dtype": dtype, "data_b64": text}
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    index = sink.add(raw_bytes(array, order))
    return {"$buffer": index, "dtype": dtype, "shape": shape, "order": order}


def _buffers(info: Any) -> Any:
    return info.context.get(BUFFERS) if isinstance(info.context, dict) else None


def raw_bytes(array: np.ndarray[Any, Any], order: str = "C") -> memoryview:
    """Return the bytes of an array in the order C or F, as a view; an array in another order is copied."""
    flat = (array if order == "C" else array.T).reshape(-1)
    return np.ascontiguousarray(flat).view(np.uint8).data if flat.size else memoryview(b"")


def _from_buffer(form: dict[str, Any], info: pydantic.ValidationInfo) -> np.ndarray[Any, Any]:
    source = _buffers(info)
    if source is None:
        raise ValueError("the bytes of the array are not here")
    order = form.get("order", "C")
    if order not in ("C", "F"):
        raise ValueError("`order` is C or F")
    return array_over(source.get(form["$buffer"]), form.get("shape"), form.get("dtype"), order)


def _decoded(text: Any) -> bytearray:
    if not isinstance(text, str):
        raise ValueError("`data_b64` is base64 text")
    try:
        return bytearray(base64.b64decode(text, altchars=_altchars(text), validate=True))
    except ValueError as error:
        raise ValueError(f"`data_b64` is no base64: {error}") from None


def _altchars(text: str) -> Union[bytes, None]:
    """Of the URL-safe alphabet, which bytes have in JSON, when the text has a character of it."""
    return b"-_" if "-" in text or "_" in text else None


def array_over(
    data: Union[bytes, bytearray, memoryview], shape: Any, dtype_form: Any, order: str = "C"
) -> np.ndarray[Any, Any]:
    """Lay an array over bytes, which it shares; what it could not write to, or stands askew, is copied.

    What shape and type claim is compared with the bytes first. Raises ValueError.
    """
    sizes, dtype = _shape(shape), dtype_of(dtype_form)
    if math.prod(sizes) * dtype.itemsize != len(data):
        raise ValueError(f"the shape {list(sizes)} of {dtype} does not fit {len(data)} bytes")
    if not len(data):
        return np.empty(sizes, dtype, "F" if order == "F" else "C")
    _check_texts(dtype, data)
    array: np.ndarray[Any, Any] = np.ndarray(sizes, dtype, data, order="F" if order == "F" else "C")
    return array if array.flags.writeable and array.flags.aligned else array.copy(order="K")


def _check_texts(dtype: np.dtype[Any], data: Union[bytes, bytearray, memoryview]) -> None:
    """Check that texts are made of code points: numpy would fail where one is looked at. Raises ValueError."""
    if dtype.names is not None:
        rows = np.frombuffer(data, dtype)
        for name in dtype.names:
            column = np.ascontiguousarray(rows[name])
            if column.dtype.names is not None or column.dtype.kind == "U":
                _check_texts(column.dtype, column.tobytes())
    elif (
        dtype.kind == "U"
        and np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder)).max() > 0x10FFFF
    ):
        raise ValueError(f"what should be text of {dtype} is none")


def _shape(value: Any) -> tuple[int, ...]:
    is_list = isinstance(value, (list, tuple)) and len(value) <= _MOST_DIMENSIONS
    if not is_list or not all(type(n) is int and 0 <= n < 2**62 for n in value):
        raise ValueError(f"a shape is a list of at most {_MOST_DIMENSIONS} integers from 0 to 2**62 - 1")
    return tuple(value)


def dtype_form(dtype: np.dtype[Any]) -> Any:
    """Return a dtype in JSON: a text, or a list of fields."""
    if dtype.names is not None:
        return _listed(dtype.descr)
    return dtype.name if dtype.kind in _NAMED_KINDS and dtype.isnative else dtype.str


def dtype_of(form: Any) -> np.dtype[Any]:
    """Return the dtype that a JSON form means. Raises ValueError."""
    try:
        dtype = _named(form) if isinstance(form, str) else _structured(form)
    except (TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"this is no dtype: {error}") from None
    if dtype.hasobject or dtype.itemsize <= 0:  # sizes above 2 GiB overflow in old versions of numpy
        raise ValueError(f"arrays of {dtype} cannot be sent")
    return dtype


def _named(text: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no dtype that can be sent")
    return np.dtype(text)


def _structured(form: Any) -> np.dtype[Any]:
    fields = _fields(form, [_MOST_FIELDS])
    # numpy describes raw bytes as one field without a name, which is how it also describes a gap.
    if len(fields) == 1 and fields[0][0] == "" and len(fields[0]) == 2:
        return _named(fields[0][1])
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(fields)
    return dtype


def _listed(descr: Any) -> Any:
    return [_listed(item) for item in descr] if isinstance(descr, (list, tuple)) else descr


def _fields(form: Any, left: list[int]) -> list[tuple[Any, ...]]:
    """Make tuples of the lists that JSON has; `left` counts how many fields there may still be."""
    if not isinstance(form, (list, tuple)):
        raise ValueError("a dtype is a text or a list of fields")
    left[0] -= len(form)
    if left[0] < 0:
        raise ValueError(f"a dtype has at most {_MOST_FIELDS} fields")
    return [_field(field, left) for field in form]


def _field(field: Any, left: list[int]) -> tuple[Any, ...]:
    if not isinstance(field, (list, tuple)) or not 2 <= len(field) <= 3:
        raise ValueError("a field is a name, a type and perhaps a shape")
    name, kind, *shape = field
    if isinstance(kind, str) and not _DTYPE.fullmatch(kind):
        raise ValueError(f"{kind[:40]!r} is no dtype that can be sent")
    typed = kind if isinstance(kind, str) else _fields(kind, left)
    return (_field_name(name), typed, *map(_shape, shape))


def _field_name(name: Any) -> Any:
    names = name if isinstance(name, (list, tuple)) else [name]
    if len(names) > 2 or not all(isinstance(part, str) for part in names):
        raise ValueError("the name of a field is a text, or a title and a name")
    return name if isinstance(name, str) else tuple(names)
