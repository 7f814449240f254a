"""Bytes of strangers: whatever they are, they are read or refused, and nothing is reserved on their word."""

from __future__ import annotations

import json
import random
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any, Optional

import msgpack
import numpy as np
import pydantic
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.wire.frame import framed, joined, unframed
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.item import ItemCodec
from chainctl.wire.signature import Codec
from chainctl.wire.stream_frame import FrameReader, Kind, StreamGarbage, whole_frame


class Body(pydantic.BaseModel):
    name: str
    blob: bytes
    numbers: NumpyArrayField
    more: list[NumpyArrayField] = []
    anything: Any = None
    inner: Optional[Body] = None


STRUCTURED = np.zeros(3, [("a", "<i4"), ("b", ">f8", (2,))])
SMALL = Body(
    name="ä",
    blob=b"\xff" * 40,
    numbers=np.arange(6).reshape(2, 3),
    more=[np.array("2024", "M8[s]"), STRUCTURED, np.zeros((0, 2))],
    anything={"list": [1, None, 2.5], "x": {}},
    inner=Body(name="", blob=bytes(2000), numbers=np.array(1.5)),
)
LARGE = SMALL.model_copy(update={"blob": bytes(70_000)})
CODEC = Codec(Body)
DECODERS: dict[str, tuple[Callable[[Any], Any], Callable[[Body], bytes]]] = {
    "json": (CODEC.decode, CODEC.encode),
    "frame": (CODEC.decode_frame, lambda body: joined(CODEC.encode_frame(body))),
    "msgpack": (CODEC.decode_msgpack, CODEC.encode_msgpack),
}
WHOLE = {name: [write(SMALL), write(LARGE)] for name, (_, write) in DECODERS.items()}


def _decoded(name: str, data: bytes) -> Optional[InvalidValue]:
    """Decode; return what was raised. Anything but InvalidValue fails the test, and so does a lot of memory."""
    error = None
    given_bytes = bytearray(data)
    tracemalloc.start()
    try:
        DECODERS[name][0](given_bytes)
    except InvalidValue as raised:
        error = raised
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 300_000 + 20 * len(data)
    return error


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
@example(data=b"")
def test_random_bytes(name: str, data: bytes) -> None:
    """Bytes without any sense are refused."""
    assert _decoded(name, data) is not None


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("which", [0, 1])
def test_truncated(name: str, which: int) -> None:
    """Every beginning of a valid body is malformed: no end is made up."""
    whole = WHOLE[name][which]
    assert _decoded(name, whole) is None
    chance = random.Random(1)
    cuts = range(len(whole)) if which == 0 else [chance.randrange(len(whole)) for _ in range(40)]
    for cut in cuts:
        error = _decoded(name, whole[:cut])
        assert error is not None
        assert error.is_malformed, (cut, error)
    trailing = _decoded(name, whole + b"\x01")
    assert trailing is not None
    assert trailing.is_malformed


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_flipped_bits(name: str, data: st.DataObject) -> None:
    """Valid bodies with bits flipped, pieces cut out, doubled or put elsewhere."""
    body = bytearray(WHOLE[name][data.draw(st.sampled_from([0, 0, 0, 1]))])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, min(len(body) - 1, 400)), st.integers(0, len(body) - 1)))
        match data.draw(st.sampled_from(["flip", "set", "cut", "double"])):
            case "flip":
                body[place] ^= 1 << data.draw(st.integers(0, 7))
            case "set":
                body[place] = data.draw(st.sampled_from([0, 0x7F, 0x80, 0xDD, 0xDF, 0xC6, 0xFF]))
            case "cut":
                del body[place : place + data.draw(st.integers(1, 8))]
            case _:
                body[place:place] = body[place : place + 8]
    _decoded(name, bytes(body))


PREFIX = struct.Struct("<4sIII")
ENTRY = struct.Struct("<QII")
MANY = 0xFFFFFFFF
HEADER = b'{"$buffer":0}'


def _frame(
    header: bytes, entries: list[tuple[int, int, int]], rest: bytes = b"", references: bytes = b""
) -> bytes:
    head = PREFIX.pack(b"CHF1", len(header), len(entries), len(references))
    start = head + b"".join(ENTRY.pack(*entry) for entry in entries) + references + header
    return start + bytes(-len(start) % 64) + rest if rest else start


@pytest.mark.parametrize(
    "message",
    [
        b"CHF1",
        b"CHF2" + bytes(12),
        PREFIX.pack(b"CHF1", MANY, 0, 0),
        PREFIX.pack(b"CHF1", 0, MANY, 0),
        PREFIX.pack(b"CHF1", 0, 0, MANY),
        PREFIX.pack(b"CHF1", 0, 0, 0),
        _frame(HEADER, [(2**63, 0, 0)], b"x"),
        _frame(HEADER, [(2**64 - 1, 0, 0)], b"x"),
        _frame(HEADER, [(2, 0, 0)], b"x"),
        _frame(HEADER, [(1, 0, 0)], b"xy"),
        _frame(HEADER, [(1, 7, 0)], b"x"),
        _frame(HEADER, [(1, 1, 0)]),
        _frame(HEADER, [(1, 1, 5)], references=b'["a"]'),
        _frame(HEADER, [(1, 1, 0)], references=b'["too long"]'),
        _frame(HEADER, [(1, 1, 0)], references=b'["unknown"]'),
        _frame(HEADER, [(1, 1, 0)], references=b"[1]"),
        _frame(HEADER, [(1, 1, 0)], references=b'{"a":1}'),
        _frame(HEADER, [(1, 1, 0)], references=b"[" * 100_000),
        _frame(HEADER, [(1, 1, 0)], references=b"1" * 5000),
        _frame(HEADER, []),
        _frame(b'{"$buffer":-1}', [(1, 0, 0)], b"x"),
        _frame(b'{"$buffer":true}', [(1, 0, 0)], b"x"),
        _frame(b'{"$buffer":"0"}', [(1, 0, 0)], b"x"),
        _frame(b'{"$buffer":99999999999999999999}', [(1, 0, 0)], b"x"),
        _frame(b'{"$buffer":0', [(1, 0, 0)], b"x"),
        _frame(b'{"a":' * 100_000, [(1, 0, 0)], b"x"),
        _frame(b"\xff", [(1, 0, 0)], b"x"),
    ],
)
def test_frames_that_lie(message: bytes) -> None:
    """Lengths, counts, indexes and references that point to what is not there are malformed."""

    def find(reference: str, length: int) -> memoryview:
        if reference == "unknown":
            raise ValueError("there is no such buffer")
        return memoryview(b"four")

    tracemalloc.start()
    try:
        with pytest.raises(InvalidValue) as raised:
            Codec(bytes).decode_frame(message, find)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 4 * len(message)
    finally:
        tracemalloc.stop()
    assert raised.value.is_malformed


@pytest.mark.parametrize(
    "header",
    [
        b"5",
        b'{"$bytes":"?"}',
        b'{"$bytes":5}',
        b'{"$buffer":0,"more":1}',
        b'{"$buffer":0,"dtype":"f8","shape":[1],"order":"C"}',
    ],
)
def test_stand_ins_that_are_none(header: bytes) -> None:
    """What does not stand for bytes is a value that does not fit."""
    with pytest.raises(InvalidValue):
        Codec(bytes).decode_frame(_frame(header, [(1, 0, 0)], b"x"))


@pytest.mark.parametrize(
    "form",
    [
        {"dtype": "f8", "shape": [2], "order": "C"},
        {"dtype": "f8", "shape": [1 << 61], "order": "C"},
        {"dtype": "f8", "shape": [1], "order": "K"},
        {"dtype": "O", "shape": [1], "order": "C"},
        {"dtype": [["a", "O"]], "shape": [1], "order": "C"},
        {"shape": [1]},
    ],
)
def test_arrays_that_lie(form: dict[str, Any]) -> None:
    """Arrays in a frame that claim more than their buffer are refused, and objects always."""
    header = json.dumps({"$buffer": 0, **form}).encode()
    for codec in (Codec(NumpyArrayField), Codec(Optional[NumpyArrayField])):
        with pytest.raises(InvalidValue):
            codec.decode_frame(_frame(header, [(8, 0, 0)], bytes(8)))


def test_one_buffer_named_a_thousand_times() -> None:
    """Naming a large buffer often reserves no memory for each time."""
    header = json.dumps([{"$buffer": 0}] * 1000).encode()
    message = joined(framed(header, [memoryview(bytes(1_000_000))]))
    tracemalloc.start()
    try:
        assert len(Codec(list[bytes]).decode_frame(message)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("padding", [b"", b"\xc6" + struct.pack(">I", 70_000) + bytes(70_000)])
@pytest.mark.parametrize(
    "lie",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdc\xff\xff" * 500,
        b"\xdd\x00\x10\x00\x00" * 500,
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\x91" * 100_000,
        b"\x81\x01" * 100_000,
        b"\xc1",
        b"\xa1\xff",
        b"\x82\x01\x01\x01\x01",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xd6\xff\x00",
        b"\xd4\xff\x00",
    ],
)
def test_msgpack_that_lies(lie: bytes, padding: bytes) -> None:
    """Claimed lengths, endless nesting, keys that are none or twice: malformed, and nothing is reserved."""
    message = (b"\x92" + padding + lie) if padding else lie
    tracemalloc.start()
    try:
        with pytest.raises(InvalidValue) as raised:
            Codec(Any).decode_msgpack(bytearray(message))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 4 * len(message)
    finally:
        tracemalloc.stop()
    assert raised.value.is_malformed


@pytest.mark.parametrize(
    ("message", "why"),
    [(b"\x91" * 100_000 + b"\xc0", "it is nested too deeply"), (b"\xc1", "a byte in it begins no value")],
)
def test_malformed_messages_are_told_in_words(message: bytes, why: str) -> None:
    """Not by the names of the library's exceptions."""
    with pytest.raises(InvalidValue, match=why):
        Codec(Any).decode_msgpack(message)


def test_deep_but_honest_nesting() -> None:
    """Deep values are read or refused in each form; the interpreter's own limit is never met."""

    class Chain(pydantic.BaseModel):
        next: Optional[Chain] = None
        data: bytes = b""

    deep: Any = {}
    for _ in range(400):
        deep = {"next": deep}
    codec = Codec(Chain)
    cases: list[tuple[Callable[[Any], Any], bytes]] = [
        (codec.decode_msgpack, msgpack.packb(deep)),
        (codec.decode_msgpack, msgpack.packb({"data": bytes(70_000), "next": deep})),
        (codec.decode, json.dumps(deep).encode()),
        (codec.decode_frame, joined(framed(json.dumps(deep).encode(), []))),
    ]
    for decode, body in cases:
        with pytest.raises(InvalidValue):
            decode(body)


def test_deep_values_are_refused_when_sent() -> None:
    """A value nested without end is an invalid value in each form, not a crash."""
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = b""
    for _ in range(5000):
        deep = [deep]
    codec = Codec(Any)
    for value in (endless, deep):
        for encode in (codec.encode, codec.encode_frame, codec.encode_msgpack):
            with pytest.raises(InvalidValue):
                encode(value)


def test_only_the_first_of_many_faults_are_told() -> None:
    """A body in which everything is wrong makes no endless answer."""
    with pytest.raises(InvalidValue) as raised:
        Codec(list[int]).decode(json.dumps(["x"] * 5000).encode())
    assert len(raised.value.mismatches) == 101
    assert "4900 more" in str(raised.value)


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), max_size=9))
def test_random_streams(data: bytes, cuts: list[int]) -> None:
    """Random bytes as a stream: frames, or garbage."""
    reader = FrameReader(limit=1000)
    try:
        for cut in [*cuts, len(data)]:
            piece, data = data[:cut], data[cut:]
            for kind, payload in reader.feed(piece):
                assert isinstance(kind, Kind)
                assert len(payload) <= 1000
    except StreamGarbage:
        return


@given(st.data())
def test_random_items(data: st.DataObject) -> None:
    """Any payload in a frame of any kind is an item or an invalid value."""
    codec = ItemCodec(data.draw(st.sampled_from([str, bytes, int, Body, NumpyArrayField])))
    try:
        codec.parse(data.draw(st.sampled_from(Kind)), data.draw(st.binary(max_size=50)))
    except InvalidValue:
        return


def test_stream_of_a_huge_claim() -> None:
    """A frame that claims a gigabyte reserves nothing before it is there."""
    reader = FrameReader()
    tracemalloc.start()
    try:
        assert reader.feed(struct.pack("<B3xI", Kind.BYTES, 1 << 30) + b"x") == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    with pytest.raises(StreamGarbage, match="larger than the limit"):
        FrameReader(limit=10).feed(whole_frame(Kind.TEXT, bytes(11)))


def test_views_of_a_frame_stay_inside_it() -> None:
    """Buffers of a frame do not overlap its header or each other."""
    buffers = [memoryview(bytes([n]) * n) for n in (5, 0, 64, 3)]
    header, read = unframed(joined(framed(b"{}", buffers)))
    assert bytes(header) == b"{}"
    assert [bytes(buffer) for buffer in read] == [bytes(buffer) for buffer in buffers]
