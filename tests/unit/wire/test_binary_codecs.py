"""Values as frames and as msgpack, and back: what goes in comes out, without a copy where there need be none."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypeAliasType, TypedDict

from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.wire.frame import BufferSource, joined, unframed
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.signature import REQUIRED, ArgumentsCodec, Codec, Field, ResultCodec
from tests.unit.wire.arrays import Array, arrays

LARGE = bytes(range(256)) * 512


IN_ORDER = pydantic.Field(union_mode="left_to_right")
Blob = TypeAliasType("Blob", bytes)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: float


class Hexed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    data: bytes


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    at: datetime.datetime
    pair: tuple[int, bytes]
    tags: frozenset[str]
    price: decimal.Decimal
    color: Color
    key: uuid.UUID
    numbers: NumpyArrayField


class Tree(pydantic.BaseModel):
    """A model that holds itself, with fields called as parts of core schemas are."""

    default: bytes = b""
    config: Optional[NumpyArrayField] = None
    metadata: dict[bytes, list[bytes]] = {}
    type: Literal["bytes"] = "bytes"
    branches: list[Tree] = []


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    purr: bytes


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    bark: NumpyArrayField


Pet = Annotated[Union[Cat, Dog], pydantic.Field(discriminator="kind")]
WAYS: dict[str, Callable[[Codec, Any], Any]] = {
    "json": lambda codec, value: codec.decode(codec.encode(value)),
    "frame": lambda codec, value: codec.decode_frame(bytearray(joined(codec.encode_frame(value)))),
    "frame, read-only": lambda codec, value: codec.decode_frame(joined(codec.encode_frame(value))),
    "msgpack": lambda codec, value: codec.decode_msgpack(codec.encode_msgpack(value)),
    "msgpack, writable": lambda codec, value: codec.decode_msgpack(bytearray(codec.encode_msgpack(value))),
}

datas = st.one_of(st.binary(max_size=40), st.sampled_from([LARGE, LARGE[:1024], LARGE[:1023]]))
leaves: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (bytes, datas),
    (NumpyArrayField, st.builds(NumpyArrayField, arrays())),
    (int, st.integers(-(2**63), 2**63 - 1)),
    (float, st.floats(allow_nan=False)),
    (str, st.text(max_size=20)),
    (bool, st.booleans()),
    (datetime.datetime, st.datetimes(timezones=st.just(datetime.UTC))),
    (datetime.date, st.dates()),
    (datetime.timedelta, st.timedeltas(datetime.timedelta(-10**5), datetime.timedelta(10**5))),
    (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (uuid.UUID, st.uuids()),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (Point, st.builds(Point, st.integers(-9, 9), st.floats(-9, 9))),
    (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    (Hexed, st.builds(Hexed, data=datas)),
    (Pet, st.one_of(st.builds(Cat, purr=datas), st.builds(Dog, bark=arrays()))),
    (set[bytes], st.sets(datas, max_size=3)),
    (dict[bytes, int], st.dictionaries(st.binary(max_size=5), st.integers(0, 9), max_size=3)),
    (frozenset[Color], st.frozensets(st.sampled_from(Color))),
]  # fmt: skip


def nested(kind: Any, values: st.SearchStrategy[Any]) -> list[tuple[Any, st.SearchStrategy[Any]]]:
    """Containers of a type, with strategies for their values."""
    make: Any = TypedDict  # its members are known at run time only
    pair = make("pair", {"default": kind, "other": int})
    model = pydantic.create_model("Made", value=(kind, ...), metadata=(Optional[kind], None))
    return [
        (list[kind], st.lists(values, max_size=3)),
        (tuple[kind, int], st.tuples(values, st.integers(0, 9))),
        (dict[str, kind], st.dictionaries(st.text(max_size=5), values, max_size=3)),
        (Optional[kind], st.one_of(st.none(), values)),
        (pair, st.fixed_dictionaries({"default": values, "other": st.integers(0, 9)})),
        (model, st.builds(model, value=values, metadata=values)),
    ]


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """A type and a value of it, nested up to three deep."""
    chosen = draw(st.sampled_from(leaves))
    for _ in range(draw(st.integers(0, 3))):
        chosen = draw(st.sampled_from(nested(*chosen)))
    return chosen[0], draw(chosen[1])


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(typed=typed_values())
def test_round_trip(way: str, typed: tuple[Any, Any]) -> None:
    """Whatever the type, every form gives the value back."""
    annotation, value = typed
    assert WAYS[way](Codec(annotation), value) == value


@pytest.mark.parametrize("way", WAYS)
def test_strict_models_keep_their_types(way: str) -> None:
    """Types that JSON writes as text or lists come back, in models that convert nothing."""
    value = Strict(
        at=datetime.datetime(2024, 1, 2, 3, 4, 5, 6, datetime.UTC),
        pair=(1, LARGE),
        tags=frozenset(["a"]),
        price=decimal.Decimal("1.10"),
        color=Color.BLUE,
        key=uuid.UUID(int=7),
        numbers=NumpyArrayField(np.arange(3)),
    )
    assert WAYS[way](Codec(Strict), value) == value


@pytest.mark.parametrize("way", WAYS)
def test_models_that_hold_themselves(way: str) -> None:
    """Definitions that refer to themselves, with fields called like parts of a schema."""
    leaf = Tree(default=LARGE, config=NumpyArrayField(np.arange(4)), metadata={b"\xff": [b"a", LARGE]})
    tree = Tree(branches=[leaf, Tree(branches=[leaf])])
    assert WAYS[way](Codec(Tree), tree) == tree


@pytest.mark.parametrize("way", ["frame", "msgpack"])
@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Union[str, bytes], "text"),
        (Union[str, bytes], LARGE),
        (Union[bytes, str], "text"),
        (Union[bytes, str], b"abc"),
        (Union[dict[str, int], bytes], LARGE),
        (Union[dict[str, int], bytes], b"abc"),
        (Union[dict[str, int], bytes], {"a": 1}),
        (Union[dict[str, Any], NumpyArrayField], NumpyArrayField(np.arange(3))),
        (Union[dict[str, Any], NumpyArrayField], {"a": 1}),
        (Union[NumpyArrayField, bytes, str, None], "x"),
        (Union[NumpyArrayField, bytes, str, None], b"x"),
        (Union[NumpyArrayField, bytes, str, None], None),
        (Union[list[int], NumpyArrayField], [1]),
        (Union[Cat, Hexed], Hexed(data=LARGE)),
        (list[Union[bytes, Cat]], [LARGE, Cat(purr=LARGE)]),
        (Annotated[Union[dict[str, int], bytes], IN_ORDER], LARGE),
        (Annotated[Union[dict[str, int], bytes], IN_ORDER], b"abc"),
        (Annotated[Union[dict[str, Any], NumpyArrayField], IN_ORDER], NumpyArrayField(np.arange(3))),
        (tuple[Blob, Annotated[Union[dict[str, int], Blob], IN_ORDER]], (LARGE, LARGE)),
    ],
)
def test_unions(way: str, annotation: Any, value: Any) -> None:
    """What stands for bytes in a header is not taken for another alternative, nor used up by it."""
    read = WAYS[way](Codec(annotation), value)
    assert type(read) is type(value)
    assert read == value


@pytest.mark.parametrize(
    ("annotation", "prefers"),
    [
        (bytes, True),
        (NumpyArrayField, True),
        (Tree, True),
        (Optional[dict[str, list[bytes]]], True),
        (Pet, True),
        (dict[bytes, int], False),
        (str, False),
        (Any, False),
        (Color, False),
        (Annotated[bytes, pydantic.PlainSerializer(lambda b: b.hex(), str)], False),
    ],
)
def test_frames_are_preferred_where_there_are_bytes(annotation: Any, prefers: bool) -> None:
    """Bytes and arrays anywhere in a type call for frames; bytes as keys, or with a form of their own, do not."""
    assert Codec(annotation).prefers_frames is prefers


def test_arrays_in_frames_are_views() -> None:
    """Neither sending nor receiving copies an array; its own memory is written, and what was read is memory."""
    array = np.arange(100_000, dtype=np.float32)
    codec = ResultCodec(NumpyArrayField)
    parts = codec.encode_frame(NumpyArrayField(array))
    assert np.shares_memory(np.asarray(memoryview(parts[-1])), array)
    message = bytearray(joined(parts))
    read = codec.decode_frame(message)
    assert np.shares_memory(read.array, np.asarray(message))
    assert read.array.ctypes.data % 4 == 0
    read.array += 10
    assert read == NumpyArrayField(array + 10)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_in_frames_are_not_copied_when_sent(make: Callable[[bytes], Any]) -> None:
    """Large bytes go out of the memory they are in, also those of bytearrays and views."""
    given_bytes = make(bytearray(LARGE)) if make is memoryview else make(LARGE)
    codec = ArgumentsCodec("Input", [Field("data", bytes, REQUIRED)])
    parts = codec.encode_frame({"data": given_bytes})
    assert np.shares_memory(np.asarray(memoryview(parts[-1])), np.asarray(memoryview(given_bytes)))
    assert codec.decode_frame(joined(parts)) == {"data": LARGE}


def test_limits_of_bytes_hold_in_frames() -> None:
    """Lengths that a type sets are checked on both sides."""
    limited = Codec(Annotated[bytes, pydantic.Field(max_length=2000)])
    for value in (LARGE, bytearray(LARGE)):
        with pytest.raises(InvalidValue, match="2000"):
            limited.encode_frame(value)
    with pytest.raises(InvalidValue, match="2000"):
        limited.decode_frame(joined(Codec(bytes).encode_frame(LARGE)))


def test_layout_is_kept() -> None:
    """Arrays whose first axis is the inner one stay so in frames, and are not copied for it."""
    array = np.asfortranarray(np.arange(6000.0).reshape(2, 3000))
    codec = Codec(NumpyArrayField)
    parts = codec.encode_frame(NumpyArrayField(array))
    assert np.shares_memory(np.asarray(memoryview(parts[-1])), array)
    assert codec.decode_frame(joined(parts)).array.flags.f_contiguous


@given(st.lists(arrays(), max_size=5), st.integers(0, 100_000))
def test_buffers_elsewhere(given_arrays: list[Array], least: int) -> None:
    """Buffers that find a place elsewhere are referred to, and are taken from there."""
    store: dict[str, memoryview] = {}

    def place(buffer: memoryview) -> Optional[str]:
        if len(buffer) < least:
            return None
        store[f"at {len(store)}"] = memoryview(bytearray(buffer))
        return f"at {len(store) - 1}"

    codec = Codec(list[NumpyArrayField])
    values = [NumpyArrayField(array) for array in given_arrays]
    message = joined(codec.encode_frame(values, place))
    read = codec.decode_frame(message, lambda reference, length: store[reference][:length])
    assert read == values
    kept = [np.asarray(buffer) for buffer in store.values() if len(buffer)]
    assert all(any(np.shares_memory(field.array, buffer) for field in read) for buffer in kept)
    if store:
        with pytest.raises(InvalidValue) as raised:
            codec.decode_frame(message)
        assert raised.value.is_malformed


def test_arrays_over_memory_that_cannot_be_written_to() -> None:
    """What `find` gives may be read-only: the array is copied then, so that it can be written to."""
    kept: list[bytes] = []

    def place(buffer: memoryview) -> str:
        kept.append(bytes(buffer))
        return "here"

    codec = Codec(NumpyArrayField)
    message = joined(codec.encode_frame(NumpyArrayField(np.arange(3)), place))
    read = codec.decode_frame(message, lambda reference, length: memoryview(kept[0]))
    read.array += 1
    assert read == NumpyArrayField(np.arange(1, 4))


def test_buffers_begin_where_vector_instructions_like_it() -> None:
    """Every buffer in a frame begins at a multiple of 64 bytes."""
    fields = [NumpyArrayField(np.arange(n, dtype=np.uint8)) for n in (1, 70, 64, 0, 3)]
    message = bytearray(joined(Codec(list[NumpyArrayField]).encode_frame(fields)))
    start = np.asarray(message).ctypes.data
    buffers = unframed(message)[1]
    assert [(np.asarray(b).ctypes.data - start) % 64 for b in buffers if len(b)] == [0, 0, 0, 0]


def test_bytes_named_twice_are_copied_once() -> None:
    """A header that names a buffer a thousand times does not make a thousand copies of it."""
    source = BufferSource([memoryview(LARGE)])
    assert source.get_bytes(0) is source.get_bytes(0)


def test_large_msgpack_arrays_are_views_if_they_can_be() -> None:
    """Arrays of a large message share its memory where they stand even in it; all can be written to."""
    codec = Codec(dict[str, NumpyArrayField])
    value = {"image": NumpyArrayField(np.arange(200_000).astype(np.uint8).reshape(400, 500))}
    message = bytearray(codec.encode_msgpack(value))
    read = codec.decode_msgpack(message)
    assert np.shares_memory(read["image"].array, np.asarray(message))
    assert read == value
    for shift in range(8):
        padded = {"p" * shift: NumpyArrayField(np.arange(10_000.0))}
        array = codec.decode_msgpack(bytearray(codec.encode_msgpack(padded)))["p" * shift].array
        assert array.flags.aligned
        array += 1
        assert array[0] == 1


def test_many_values_in_large_msgpack() -> None:
    """A large message of many values is read too, with arrays in it."""
    codec = Codec(tuple[list[int], NumpyArrayField, bytes])
    value = (list(range(10_000)), NumpyArrayField(np.arange(20_000)), LARGE)
    read = codec.decode_msgpack(bytearray(codec.encode_msgpack(value)))
    assert read == value
    read[1].array += 1


def test_numbers_that_msgpack_has_not() -> None:
    """Whole numbers of more than 64 bits cannot be said in msgpack; this is no crash."""
    with pytest.raises(InvalidValue, match="64 bits"):
        Codec(int).encode_msgpack(2**70)


def test_arguments_that_were_not_given_stay_out() -> None:
    """The defaults of a function hold in frames and msgpack as in JSON; unknown names are refused."""
    codec = ArgumentsCodec("Input", [Field("data", bytes, REQUIRED), Field("times", int, 3)])
    given_arguments = {"data": b"abc"}
    assert codec.decode_frame(joined(codec.encode_frame(given_arguments))) == given_arguments
    assert codec.decode_msgpack(codec.encode_msgpack(given_arguments)) == given_arguments
    for encode in (codec.encode_frame, codec.encode_msgpack):
        with pytest.raises(InvalidValue, match="other"):
            encode({"data": b"", "other": 1})
    with pytest.raises(InvalidValue, match="data"):
        codec.decode_frame(joined(Codec(dict[str, bytes]).encode_frame({})))


def test_schema_is_that_of_json() -> None:
    """What frames carry changes nothing in the JSON Schema of a type."""
    codec = ResultCodec(Cat)
    before = codec.schema()
    codec.encode_frame(Cat(purr=LARGE))
    assert codec.schema() == before
    assert before["properties"]["purr"]["format"] == "base64url"
