"""Arrays as fields of models: their JSON, their buffers, and what is refused."""

from __future__ import annotations

import ast
import base64
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given

from chainctl import pydantic_numpy
from chainctl.pydantic_numpy import BUFFERS, NumpyArrayField, array_over, dtype_of
from tests.unit.wire.arrays import DTYPES, Array, arrays, filled


class Model(pydantic.BaseModel):
    numbers: NumpyArrayField
    name: str = ""


class Buffers:
    """Keeps what is added, and gives it back as if it had been received."""

    def __init__(self) -> None:
        self.added: list[memoryview] = []

    def add(self, buffer: memoryview) -> int:
        self.added.append(buffer)
        return len(self.added) - 1

    def received(self) -> Received:
        return Received([memoryview(bytearray(buffer)) for buffer in self.added])


class Received:
    """Gives buffers that can be written to."""

    def __init__(self, buffers: list[memoryview]) -> None:
        self.buffers = buffers

    def get(self, index: int) -> memoryview:
        return self.buffers[index]


@given(arrays())
def test_json_round_trip(array: Array) -> None:
    """Type, byte order, shape and bytes of every array survive JSON, and it can be written to."""
    model = Model(numbers=array)
    read = Model.model_validate_json(model.model_dump_json())
    assert read == model
    assert read.numbers.array.dtype == array.dtype
    assert read.numbers.array.flags.writeable


@given(arrays())
def test_python_round_trip(array: Array) -> None:
    """The Python form is the array itself; what is read of it can be written to."""
    dumped = Model(numbers=array).model_dump()
    assert type(dumped["numbers"]) is np.ndarray
    read = Model.model_validate(dumped)
    assert read == Model(numbers=array)
    assert read.numbers.array.flags.writeable


@given(arrays())
def test_buffers_round_trip(array: Array) -> None:
    """With buffers in the context the bytes stay out of JSON, and the order of the axes is kept."""
    sink = Buffers()
    model = Model(numbers=array)
    header = model.__pydantic_serializer__.to_json(model, context={BUFFERS: sink})
    received = sink.received()
    read = Model.model_validate_json(header, context={BUFFERS: received})
    assert read == model
    assert read.numbers.array.flags.writeable
    if array.size:
        assert np.shares_memory(read.numbers.array, np.asarray(received.buffers[0]))
    if array.flags.f_contiguous or array.flags.c_contiguous:
        assert read.numbers.array.flags.f_contiguous == array.flags.f_contiguous
        assert not array.size or np.shares_memory(model.numbers.array, np.asarray(sink.added[0]))


def test_json_is_as_documented() -> None:
    """The JSON form has these keys in this order, and the bytes of `tobytes()` in standard base64."""
    array = np.asfortranarray(np.arange(6, dtype=np.float64).reshape(3, 2))
    data = base64.b64encode(array.tobytes()).decode()
    written = Model(numbers=array).model_dump_json()
    assert written == f'{{"numbers":{{"shape":[3,2],"dtype":"float64","data_b64":"{data}"}},"name":""}}'
    assert Model(numbers=array).model_dump(mode="json") == json.loads(written)


def test_schema_says_what_json_has() -> None:
    """The JSON Schema names the keys that the JSON form has."""
    schema = Model.model_json_schema()["properties"]["numbers"]
    assert list(schema["properties"]) == ["shape", "dtype", "data_b64"]
    assert schema["required"] == ["shape", "dtype", "data_b64"]


def test_repr_shows_rows_at_the_start_of_lines() -> None:
    """Printing shows shape, type, and the numbers row by row."""
    array = np.array([[0.39595027, 0.23837526], [0.56714894, 0.61244946], [0.45821942, 0.42464844]])
    assert repr(NumpyArrayField(array)) == (
        "NumpyArrayField(shape=(3, 2), dtype=float64, data=[\n"
        "[0.39595027 0.23837526]\n[0.56714894 0.61244946]\n[0.45821942 0.42464844]])"
    )
    assert repr(NumpyArrayField(np.array(1.5))) == "NumpyArrayField(shape=(), dtype=float64, data=1.5)"


def test_equality() -> None:
    """Fields are equal when type, shape and items are, also where an item is not a number."""
    field = NumpyArrayField(np.array([1.0, np.nan]))
    assert field == NumpyArrayField(np.array([1.0, np.nan]))
    assert field != NumpyArrayField(np.array([1.0, 2.0]))
    assert field != NumpyArrayField(np.array([1.0, np.nan], np.float32))
    assert NumpyArrayField(np.array([0.0])) == NumpyArrayField(np.array([-0.0]))
    assert field != [1.0]


def test_scalars_are_arrays_without_dimensions() -> None:
    """A number of numpy's, as msgpack_numpy gives it, is taken."""
    assert Model(numbers=np.float32(2)).numbers == NumpyArrayField(np.array(2, np.float32))


def test_writing_to_what_was_read() -> None:
    """The documented way to work with an array: in place."""
    model = Model.model_validate_json(Model(numbers=np.arange(3)).model_dump_json())
    model.numbers.array += 10
    assert model == Model(numbers=np.array([10, 11, 12]))


def test_given_array_is_not_copied() -> None:
    """A field shares the memory of the array that it was given."""
    array = np.arange(3)
    assert np.shares_memory(Model(numbers=array).numbers.array, array)


@pytest.mark.parametrize("data", ["__________8=", "//////////8="])
def test_both_alphabets_of_base64_are_read(data: str) -> None:
    """Bytes have the one for URLs in JSON, so clients use it for arrays, too."""
    field = pydantic.TypeAdapter(NumpyArrayField).validate_python(
        {"shape": [1], "dtype": "int64", "data_b64": data}
    )
    assert field.array.tolist() == [-1]


OBJECTS = np.array([object()], dtype=object)
DATA = base64.b64encode(bytes(8)).decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (OBJECTS, "type of fixed size"),
        (np.zeros(2, [("a", object)]), "type of fixed size"),
        (np.ma.masked_array([1, 2], [True, False]), "masked"),
        (np.zeros(2, []), "have no size"),
        ([1, 2], "give a numpy array"),
        ({"shape": [1], "dtype": "f8"}, "give a numpy array"),
        ({"$buffer": 0, "dtype": "f8", "shape": [1]}, "are not here"),
        ({"shape": [-1], "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": [1.0], "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": [True], "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": [1] * 65, "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": 1, "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": [2**61, 8], "dtype": "f8", "data_b64": DATA}, "does not fit 8 bytes"),
        ({"shape": [2**62], "dtype": "f8", "data_b64": DATA}, "list of at most 64 integers"),
        ({"shape": [0, 2**61], "dtype": "f8", "data_b64": ""}, "too big"),
        ({"shape": [2], "dtype": "f8", "data_b64": DATA}, "does not fit 8 bytes"),
        ({"shape": [1], "dtype": "O", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "object", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "T", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "f4,f4", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "(2,)f4", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "f7", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "M8[eon]", "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": "U2000000000", "data_b64": DATA}, "no dtype"),
        (
            {"shape": [1], "dtype": [[n, "S99999999"] for n in "abcdefghijklmnopqrstuvw"], "data_b64": DATA},
            r".*",
        ),
        ({"shape": [1 << 50], "dtype": "S0", "data_b64": ""}, "cannot be sent"),
        ({"shape": [1], "dtype": {"a": 1}, "data_b64": DATA}, "a text or a list"),
        ({"shape": [1], "dtype": [["a", "O"]], "data_b64": DATA}, "is no dtype"),
        ({"shape": [1], "dtype": [["a", "f8", [1 << 31]]], "data_b64": DATA}, "into a C int"),
        ({"shape": [1], "dtype": [["a"]], "data_b64": DATA}, "a field is"),
        ({"shape": [1], "dtype": [[1, "f8"]], "data_b64": DATA}, "the name of a field"),
        ({"shape": [1], "dtype": [["a", "f4"], ["a", "f4"]], "data_b64": DATA}, "already used"),
        ({"shape": [1], "dtype": [["a", "b"]] * 2000, "data_b64": DATA}, "at most 1024 fields"),
        ({"shape": [1], "dtype": "f8", "data_b64": "?"}, "no base64"),
        ({"shape": [1], "dtype": "f8", "data_b64": "é"}, "no base64"),
        ({"shape": [1], "dtype": "f8", "data_b64": 5}, "base64 text"),
    ],
)
def test_refused(value: Any, message: str) -> None:
    """What cannot be sent, or claims what is not there, is refused; nothing is reserved for it."""
    tracemalloc.start()
    try:
        with pytest.raises(pydantic.ValidationError, match=message):
            Model(numbers=value)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_objects_put_in_later_are_refused() -> None:
    """The addresses of Python objects are not sent, however the array came to hold them."""
    model = Model(numbers=np.arange(1))
    model.numbers.array = OBJECTS
    with pytest.raises(ValueError, match="type of fixed size"):
        model.model_dump_json()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_dtype_is_read_from_its_text(dtype: Any) -> None:
    """Clients that write `str(array.dtype)` or `array.dtype.str` are understood, where it is one type."""
    array = filled(dtype, (1,))
    if array.dtype.names is None:
        for text in {str(array.dtype), array.dtype.str}:
            assert pydantic_numpy.dtype_of(text) == array.dtype


def test_it_stands_alone() -> None:
    """The file can be copied into a client: it imports the standard library, numpy and pydantic."""
    tree = ast.parse(Path(pydantic_numpy.__file__).read_text())
    roots = {
        node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and node.module
    }
    roots |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert roots - {"__future__", "base64", "math", "re", "typing"} == {"numpy", "pydantic", "pydantic_core"}


@pytest.mark.parametrize("dtype", ["<U2", ">U2", [["a", "<i4"], ["b", "<U2"]], [["a", [["b", ">U2"]]]]])
def test_what_is_no_text_is_refused_before_anybody_looks_at_it(dtype: Any) -> None:
    """numpy takes any four bytes for a code point, and raises SystemError when one is read that is none."""
    made = dtype_of(dtype)
    with pytest.raises(ValueError, match="is none"):
        array_over(b"\xff" * made.itemsize, [1], dtype)
    zeros = array_over(bytes(2 * made.itemsize), [2], dtype)
    assert zeros.dtype == made
