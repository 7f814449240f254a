"""Clients with `msgpack` and `msgpack_numpy`: their bytes are read, ours are theirs."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any, Optional, Union

import msgpack
import msgpack_numpy
import numpy as np
import pydantic
import pytest
from hypothesis import given

from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.msgpack_form import packed, unpacked
from chainctl.wire.signature import ResultCodec
from tests.unit.wire.arrays import Array, arrays

UTC = datetime.UTC
PATCHED = ("Packer", "Unpacker", "load", "loads", "dump", "dumps", "pack", "packb", "unpack", "unpackb")


class Data(pydantic.BaseModel):
    numbers: NumpyArrayField
    blob: bytes = b"\xff"
    name: str = "x"
    scores: dict[str, float] = {}


@pytest.fixture
def patched() -> Iterator[None]:
    """msgpack as a client has it that called `msgpack_numpy.patch()`; as it was, afterwards."""
    kept = {name: getattr(msgpack, name) for name in PATCHED}
    msgpack_numpy.patch()
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(msgpack, name, value)


@pytest.mark.usefixtures("patched")
def test_documented_client() -> None:
    """The client of the documentation: dump in Python mode, pack; unpack, validate. Results can be changed."""
    codec = ResultCodec(Data)
    data = Data(numbers=np.random.default_rng(1).random((3, 2)), scores={"a": 0.5})
    received = codec.decode_msgpack(msgpack.dumps(data.model_dump(mode="python")))
    assert received == data
    received.numbers.array += 10
    answer = Data.model_validate(msgpack.loads(codec.encode_msgpack(received)))
    assert answer == Data(numbers=data.numbers.array + 10, scores={"a": 0.5})
    answer.numbers.array += 1


@given(arrays())
def test_our_bytes_are_theirs(array: Array) -> None:
    """Byte for byte what msgpack_numpy writes, where it can write the array."""
    try:
        theirs = msgpack_numpy.packb({"a": array})
    except ValueError:  # it has no way to write times
        assert array.dtype.kind in "VmM"
        return
    if array.dtype.names is None or array.flags.c_contiguous:  # gaps between fields hold anything in a copy
        assert packed({"a": array}) == theirs


@given(arrays())
def test_they_read_ours(array: Array) -> None:
    """msgpack_numpy reads our arrays, as far as it reads its own."""
    try:
        msgpack_numpy.unpackb(msgpack_numpy.packb(np.atleast_1d(array)))
    except (TypeError, ValueError):  # fields with titles and the like, and times
        assert array.dtype.kind in "VmM"
        return
    read = msgpack_numpy.unpackb(packed(array))
    if array.dtype.names is None:
        assert read.tobytes() == array.tobytes()
    for name in array.dtype.names or ():
        assert np.array_equal(read[name], array[name])
    assert read.shape == array.shape
    if array.dtype.kind != "V":
        assert read.dtype == array.dtype


@given(arrays())
def test_arrays_come_back(array: Array) -> None:
    """All arrays survive our own reading, exactly, and can be written to."""
    read = unpacked(packed(array))
    assert NumpyArrayField(read) == NumpyArrayField(array)
    assert read.flags.writeable


@pytest.mark.parametrize(
    "number",
    [
        np.float32(1.5),
        np.int8(-3),
        np.bool_(True),
        np.uint64(2**63),
        np.complex64(1 + 2j),
        1 - 2j,
        np.float64(2),
    ],
)
def test_numbers(number: Any) -> None:
    """numpy's numbers and complex numbers are written and read as msgpack_numpy does it."""
    assert packed(number) == msgpack_numpy.packb(number)
    read = unpacked(packed(number))
    assert read == number
    assert type(read) is type(msgpack_numpy.unpackb(packed(number)))


def test_numbers_of_numpy_fit_fields_of_numbers() -> None:
    """A client may send a number of numpy's for a float or an int."""

    class Numbers(pydantic.BaseModel):
        score: float
        z: complex

    message = msgpack_numpy.packb({"score": np.float32(0.5), "z": np.complex128(1j)})
    assert ResultCodec(Numbers).decode_msgpack(message) == Numbers(score=0.5, z=1j)


@pytest.mark.parametrize(
    ("tag", "data", "value"),
    [
        ("__dt_datetime_iso__", "2024-01-02T03:04:05Z", datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("__dt_datetime_iso__", "2024-01-02T03:04:05", datetime.datetime(2024, 1, 2, 3, 4, 5)),
        ("__dt_date_iso__", "2024-01-02", datetime.date(2024, 1, 2)),
        ("__dt_time_iso__", "03:04:05", datetime.time(3, 4, 5)),
        ("__dt_timedelta__", (1, 2, 3), datetime.timedelta(1, 2, 3)),
        ("__decimal__", "1.10", decimal.Decimal("1.10")),
        ("__uuid__", "00000000-0000-0000-0000-000000000007", uuid.UUID(int=7)),
    ],
)
@pytest.mark.parametrize("is_text", [True, False])
def test_tags_of_the_older_clients(tag: str, data: Any, value: Any, is_text: bool) -> None:
    """Times, decimals and UUIDs that Truss's client tagged, also in models that convert nothing."""
    form: dict[Any, Any] = {tag: True, "data": data} if is_text else {tag.encode(): True, b"data": data}
    assert unpacked(msgpack.packb(form)) == value

    class Strict(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(strict=True)
        value: Union[
            datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID
        ]

    assert ResultCodec(Strict).decode_msgpack(msgpack.packb({"value": form})) == Strict(value=value)


def test_timestamps_of_msgpack() -> None:
    """The library's own form of a time."""
    at = datetime.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    message = msgpack.packb({"at": at, "pad": bytes(70_000)}, datetime=True)
    assert unpacked(message)["at"] == at
    assert unpacked(msgpack.packb(at, datetime=True)) == at


def test_maps_of_the_users_stay_maps() -> None:
    """A dictionary that only looks a little like a tag is the user's."""
    for form in (
        {"nd": 1, "data": "x"},
        {"nd": True, "data": "x"},
        {"complex": 5, "data": "1"},
        {"data": 1, "other": 2},
        {"__uuid__": False, "data": "x"},
        {1: 2, "data": 3},
        {"data": True},
    ):
        assert unpacked(msgpack.packb(form)) == form


def test_old_keys_are_texts() -> None:
    """Clients that write keys as texts send arrays too."""
    form = {"nd": True, "type": "<i4", "shape": [2], "data": bytes(8)}
    assert unpacked(msgpack.packb(form)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": [2], b"data": bytes(8)}, "does not fit"),
        ({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": [2**40], b"data": bytes(8)}, "does not fit"),
        ({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": [-1], b"data": bytes(8)}, "a shape is"),
        ({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": 1, b"data": bytes(8)}, "a shape is"),
        ({b"nd": True, b"type": "|O", b"kind": b"", b"shape": [1], b"data": bytes(8)}, "dtype"),
        ({b"nd": True, b"type": [["a", "|O"]], b"kind": b"V", b"shape": [1], b"data": bytes(8)}, "dtype"),
        ({b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": b"cos\nsystem\n"}, "pickled"),
        ({b"nd": False, b"type": "<f8", b"data": bytes(4)}, "does not fit"),
        ({b"complex": True, b"data": "one"}, "malformed"),
        ({b"__decimal__": True, b"data": "one"}, "tag"),
        ({b"__dt_timedelta__": True, b"data": [10**18]}, "tag"),
        ({b"__uuid__": True, b"data": 5}, "tag"),
        ({b"__dt_datetime_iso__": True, b"data": "now"}, "Invalid isoformat"),
    ],
)
@pytest.mark.parametrize("padding", [0, 70_000])
def test_refused_tags(form: Any, message: str, padding: int) -> None:
    """Tags that lie are malformed, in small and in large messages; nothing is unpickled."""
    with pytest.raises(InvalidValue, match=message) as raised:
        unpacked(msgpack.packb([form, bytes(padding)]))
    assert raised.value.is_malformed


def test_arrays_where_there_is_no_numpy() -> None:
    """A service without numpy says so when it is sent an array, and serves everything else."""
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from chainctl.wire.signature import Codec\n"
        "from chainctl.wire.frame import joined\n"
        "codec = Codec(dict[str, bytes])\n"
        "assert codec.decode_msgpack(codec.encode_msgpack({'a': bytes(9)})) == {'a': bytes(9)}\n"
        "assert codec.decode_frame(joined(codec.encode_frame({'a': bytes(9999)}))) == {'a': bytes(9999)}\n"
        "codec.decode_msgpack(sys.stdin.buffer.read())\n"
    )
    message = msgpack_numpy.packb({"a": np.arange(3)})
    run = subprocess.run([sys.executable, "-c", code], input=message, capture_output=True)
    assert b"numpy is not installed here" in run.stderr


def test_texts_and_bytes_of_any_field() -> None:
    """Values of any type keep theirs where msgpack has it."""
    codec = ResultCodec(dict[str, Optional[Any]])
    value = {"a": b"\xff", "b": "text", "c": [1, None, True, 2.5], "d": {"e": {}}}
    assert codec.decode_msgpack(codec.encode_msgpack(value)) == value
