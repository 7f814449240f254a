"""Streams of models with a header and a footer: what is written is read, in order, or it is an error."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.streaming import stream_reader, stream_types, stream_writer


class Header(pydantic.BaseModel):
    time: float


class Item(pydantic.BaseModel):
    count: int
    text: str = ""


class Footer(pydantic.BaseModel):
    took: float


FULL = stream_types(Item, header_type=Header, footer_type=Footer)


async def chunks(data: bytes, cuts: Sequence[int] = ()) -> AsyncIterator[bytes]:
    """Give bytes in pieces."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        yield data[start:end]


def written(items: Sequence[Item], *, header: bool = True, footer: bool = True) -> bytes:
    """The bytes of a stream."""
    writer = stream_writer(FULL)
    parts = [writer.yield_header(Header(time=1.5))] if header else []
    parts += [writer.yield_item(item) for item in items]
    parts += [writer.yield_footer(Footer(took=2.5))] if footer else []
    return b"".join(parts)


@given(
    st.lists(st.builds(Item, count=st.integers(), text=st.text(max_size=30)), max_size=5),
    st.lists(st.integers(0, 1 << 12), max_size=40),
)
def test_whole_stream(items: list[Item], cuts: list[int]) -> None:
    """Header, items and footer come out wherever the bytes are cut."""

    async def read() -> tuple[Header, list[Item], Footer]:
        reader = stream_reader(FULL, chunks(written(items), cuts))
        header = await reader.read_header()
        return header, [item async for item in reader.read_items()], await reader.read_footer()

    assert asyncio.run(read()) == (Header(time=1.5), items, Footer(took=2.5))


def test_bytes_are_as_documented() -> None:
    """A kind of one byte, a length of four, big-endian, then JSON."""
    body = b'{"time":1.5}'
    assert stream_writer(FULL).yield_header(Header(time=1.5)) == struct.pack(">BI", 2, len(body)) + body
    assert stream_writer(FULL).yield_item(Item(count=1))[0] == 3
    assert stream_writer(FULL).yield_footer(Footer(took=1))[0] == 4


def test_methods_are_those_of_the_types() -> None:
    """What the types do not name can be neither written nor read."""
    for types, names in [
        (stream_types(Item), set()),
        (stream_types(Item, header_type=Header), {"header"}),
        (stream_types(Item, footer_type=Footer), {"footer"}),
        (FULL, {"header", "footer"}),
    ]:
        writer: Any = stream_writer(types)
        reader: Any = stream_reader(types, chunks(b""))
        for name in ("header", "footer"):
            assert hasattr(writer, f"yield_{name}") == (name in names)
            assert hasattr(reader, f"read_{name}") == (name in names)
        assert writer.yield_item(Item(count=1))


def test_order_of_writing() -> None:
    """The header goes first and once, the footer last and once."""
    writer = stream_writer(FULL)
    writer.yield_header(Header(time=1))
    with pytest.raises(ValueError, match="header"):
        writer.yield_header(Header(time=1))
    writer.yield_item(Item(count=1))
    with pytest.raises(ValueError, match="header"):
        writer.yield_header(Header(time=1))
    writer.yield_footer(Footer(took=1))
    with pytest.raises(ValueError, match="footer"):
        writer.yield_item(Item(count=1))
    with pytest.raises(ValueError, match="footer"):
        writer.yield_footer(Footer(took=1))


async def _items(data: bytes) -> list[Item]:
    return [item async for item in stream_reader(FULL, chunks(data)).read_items()]


def test_order_of_reading() -> None:
    """A header that nobody read, none where one is asked for, no footer: each is an error."""
    with pytest.raises(ValueError, match="read_header"):
        asyncio.run(_items(written([Item(count=1)])))

    async def no_header() -> list[Item]:
        reader = stream_reader(FULL, chunks(written([Item(count=1)], header=False)))
        with pytest.raises(ValueError, match="no header"):
            await reader.read_header()
        return [item async for item in reader.read_items()]

    assert asyncio.run(no_header()) == [Item(count=1)]

    async def no_footer() -> None:
        reader = stream_reader(FULL, chunks(written([Item(count=1)], header=False, footer=False)))
        with pytest.raises(ValueError, match="no footer"):
            await reader.read_footer()
        assert len([item async for item in reader.read_items()]) == 1
        with pytest.raises(ValueError, match="no footer"):
            await reader.read_footer()

    asyncio.run(no_footer())


def test_empty_streams() -> None:
    """A stream of nothing has no items; a footer can be read without having asked for items."""
    assert asyncio.run(_items(b"")) == []

    async def footer() -> Footer:
        return await stream_reader(FULL, chunks(written([], header=False))).read_footer()

    assert asyncio.run(footer()) == Footer(took=2.5)


@pytest.mark.parametrize("cut", range(1, 20))
def test_broken_off(cut: int) -> None:
    """A part that is cut off is told from the end of the stream."""
    whole = written([Item(count=1)], header=False, footer=False)
    assert len(whole) > 20
    with pytest.raises(asyncio.IncompleteReadError):
        asyncio.run(_items(whole[:cut]))


@pytest.mark.parametrize(
    "data", [bytes(5), b"\x06" + bytes(4), struct.pack(">BI", 3, 1) + b"{", b"\x01" + bytes(4)]
)
def test_garbage(data: bytes) -> None:
    """Unknown kinds and bad JSON are value errors."""
    with pytest.raises(ValueError, match=r".+"):
        asyncio.run(_items(data))


def test_header_behind_items() -> None:
    """A part that has no place behind the items is an error."""
    data = written([Item(count=1)], header=False, footer=False) + written([])
    with pytest.raises(ValueError, match="HEADER behind the items"):
        asyncio.run(_items(data))
