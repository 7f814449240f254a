"""Items as frames of a stream and as strangers get them, and back, however the bytes are cut."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.wire.frame import Buffer
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.item import ItemCodec
from chainctl.wire.stream_frame import (
    MOST_FRAME_BYTES,
    FrameReader,
    Kind,
    StreamGarbage,
    frame_head,
    whole_frame,
)


class Chunk(pydantic.BaseModel):
    text: str
    audio: Optional[bytes] = None


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut bytes at some places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def read(parts: Sequence[bytes]) -> FrameReader:
    """Give bytes to a new reader, piece by piece."""
    reader = FrameReader()
    for part in parts:
        reader.feed(part)
    return reader


ITEMS: list[tuple[Any, list[Any], Kind]] = [
    (str, ["a", "", "ä\n"], Kind.TEXT),
    (bytes, [b"", b"\xff" * 3000, b"abc"], Kind.BYTES),
    (int, [1, 2**70], Kind.ITEM),
    (dict[str, list[float]], [{}, {"a": [1.5]}], Kind.ITEM),
    (Optional[str], [None, "a"], Kind.ITEM),
    (Chunk, [Chunk(text="a"), Chunk(text="b", audio=bytes(5000))], Kind.FRAMED),
    (NumpyArrayField, [NumpyArrayField(np.arange(n)) for n in (0, 3, 5000)], Kind.FRAMED),
]


@pytest.mark.parametrize(("annotation", "items", "kind"), ITEMS, ids=str)
@given(cuts=st.lists(st.integers(0, 1 << 17), max_size=30))
def test_items_survive_any_cuts(annotation: Any, items: list[Any], kind: Kind, cuts: list[int]) -> None:
    """Items come out as they went in, wherever their bytes are cut; the end is seen once."""
    codec = ItemCodec(annotation)
    data = b"".join([*(codec.frame(item) for item in items), whole_frame(Kind.END)])
    reader = FrameReader()
    frames: list[tuple[Kind, Buffer]] = []
    for piece in pieces(data, cuts):
        assert not reader.is_over
        frames += reader.feed(piece)
    assert [frame[0] for frame in frames] == [*[kind] * len(items), Kind.END]
    assert [codec.parse(*frame) for frame in frames[:-1]] == items
    assert reader.is_over
    assert reader.is_clean


def test_one_byte_at_a_time() -> None:
    """The smallest cuts of all."""
    codec = ItemCodec(Chunk)
    chunk = Chunk(text="a", audio=bytes(2000))
    reader = FrameReader()
    frames = [frame for byte in codec.frame(chunk) for frame in reader.feed(bytes([byte]))]
    assert [codec.parse(*frame) for frame in frames] == [chunk]


def test_arrays_of_a_stream_are_not_copied_again() -> None:
    """An array in a stream is a view of the bytes that came, and is sent out of its own memory."""
    codec = ItemCodec(NumpyArrayField)
    array = np.arange(50_000, dtype=np.uint8)
    parts = codec.parts(NumpyArrayField(array))
    assert np.shares_memory(np.asarray(memoryview(parts[-1])), array)
    ((kind, payload),) = FrameReader().feed(b"".join(parts))
    read = codec.parse(kind, payload)
    assert np.shares_memory(read.array, np.asarray(payload))
    read.array += 1


def test_broken_off_streams_are_told_apart() -> None:
    """A stream without an end, between frames or inside one."""
    item = whole_frame(Kind.ITEM, b"1")
    between, inside = read([item]), read([item, item[:-1]])
    assert (between.is_clean, between.is_over) == (True, False)
    assert (inside.is_clean, inside.is_over) == (False, False)
    assert read([item, item[:-1], b"1" + whole_frame(Kind.ERROR, b"{}")]).is_over


@pytest.mark.parametrize(
    "garbage",
    [
        bytes(8),
        b"\x09" + bytes(7),
        b"\x01\x01" + bytes(6),
        b"GET / HTTP/1.1",
        whole_frame(Kind.END) + b"x",
        whole_frame(Kind.ERROR, b"{}") + whole_frame(Kind.END),
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_garbage(garbage: bytes, step: int) -> None:
    """Unknown kinds, bytes that must be zero, and anything after the end."""
    with pytest.raises(StreamGarbage):
        read([garbage[start : start + step] for start in range(0, len(garbage), step)])


def test_items_that_no_reader_would_take() -> None:
    """An item above the limit is refused where it is sent."""
    with pytest.raises(ValueError, match="larger than the limit"):
        frame_head(Kind.BYTES, MOST_FRAME_BYTES + 1)


@pytest.mark.parametrize(
    ("annotation", "item"),
    [(str, b"a"), (bytes, "a"), (str, 5), (int, "x"), (str, "\ud800"), (Chunk, {"text": 5})],
)
def test_items_of_the_wrong_type(annotation: Any, item: Any) -> None:
    """An item that does not fit is refused in each form."""
    codec = ItemCodec(annotation)
    for write in (codec.frame, codec.plain):
        with pytest.raises(InvalidValue):
            write(item)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Kind.TEXT, b"\xff"),
        (Kind.BYTES, b"a"),
        (Kind.ITEM, b"5"),
        (Kind.ITEM, b"["),
        (Kind.FRAMED, b"CHF1"),
        (Kind.ARGUMENTS, b"{}"),
    ],
)
def test_payloads_of_the_wrong_kind(kind: Kind, payload: bytes) -> None:
    """A payload that is no item of the stream is refused."""
    with pytest.raises(InvalidValue):
        ItemCodec(str).parse(kind, payload)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_all_that_has_bytes_is_bytes(make: Any) -> None:
    """A stream of bytes takes bytearrays and views; they arrive as bytes."""
    codec = ItemCodec(bytes)
    assert codec.round_trip(make(b"abc")) == b"abc"
    assert codec.plain(make(b"abc")) == b"abc"
    assert codec.round_trip(memoryview(b"abcd")[::2]) == b"ac"


def test_forms_for_strangers() -> None:
    """Text and bytes go out as they are, other items as lines of JSON."""
    assert ItemCodec(str).plain_type == "text/plain; charset=utf-8"
    assert ItemCodec(bytes).plain_type == "application/octet-stream"
    assert ItemCodec(Chunk).plain_type == "application/x-ndjson"
    assert ItemCodec(str).plain("a\n") == b"a\n"
    lines = ItemCodec(Chunk).plain(Chunk(text="a\nb")) + ItemCodec(Chunk).plain(Chunk(text="c"))
    assert [json.loads(line)["text"] for line in lines.splitlines()] == ["a\nb", "c"]


def test_events() -> None:
    """An event has a line of data for each line of a text; other items are JSON."""
    assert ItemCodec(str).event("a\r\nb\n") == b"data: a\ndata: b\ndata: \n\n"
    assert ItemCodec(int).event(5) == b"data: 5\n\n"
    assert ItemCodec(bytes).event(b"\x00") == b'data: "AA=="\n\n'
