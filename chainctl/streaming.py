"""Models in, the bytes of a stream with a header, items and a footer out; and back, however they are cut.

For a chainlet that streams bytes and wants structure in them. What the parts are is said once:
`stream_types(Item, header_type=Header, footer_type=Footer)`. The sending side yields what a
`stream_writer` makes of models; the receiving side reads models with a `stream_reader`.

Each part is a kind (1 byte), the length of what follows (4 bytes, big-endian), and a model as JSON.
"""

from __future__ import annotations

import asyncio
import enum
import struct
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar, overload

import pydantic

_TAG = struct.Struct(">BI")

ItemT = TypeVar("ItemT", bound=pydantic.BaseModel)
HeaderT = TypeVar("HeaderT", bound=pydantic.BaseModel)
FooterT = TypeVar("FooterT", bound=pydantic.BaseModel)


class _Kind(enum.IntEnum):
    NOT_SET = 1
    HEADER = 2
    ITEM = 3
    FOOTER = 4
    END = 5


@dataclass(frozen=True)
class StreamTypes(Generic[ItemT]):
    """What a stream is made of: items only."""

    item_type: type[ItemT]


@dataclass(frozen=True)
class StreamTypesWithHeader(StreamTypes[ItemT], Generic[ItemT, HeaderT]):
    """What a stream is made of: a header, then items."""

    header_type: type[HeaderT]


@dataclass(frozen=True)
class StreamTypesWithFooter(StreamTypes[ItemT], Generic[ItemT, FooterT]):
    """What a stream is made of: items, then a footer."""

    footer_type: type[FooterT]


@dataclass(frozen=True)
class StreamTypesFull(
    StreamTypesWithHeader[ItemT, HeaderT],
    StreamTypesWithFooter[ItemT, FooterT],
    Generic[ItemT, HeaderT, FooterT],
):
    """What a stream is made of: a header, items, a footer."""


@overload
def stream_types(item_type: type[ItemT]) -> StreamTypes[ItemT]: ...


@overload
def stream_types(
    item_type: type[ItemT], *, header_type: type[HeaderT]
) -> StreamTypesWithHeader[ItemT, HeaderT]: ...


@overload
def stream_types(
    item_type: type[ItemT], *, footer_type: type[FooterT]
) -> StreamTypesWithFooter[ItemT, FooterT]: ...


@overload
def stream_types(
    item_type: type[ItemT], *, header_type: type[HeaderT], footer_type: type[FooterT]
) -> StreamTypesFull[ItemT, HeaderT, FooterT]: ...


def stream_types(
    item_type: type[Any],
    *,
    header_type: Optional[type[Any]] = None,
    footer_type: Optional[type[Any]] = None,
) -> StreamTypes[Any]:
    """Say which models a stream is made of."""
    if header_type is None:
        return (
            StreamTypes(item_type) if footer_type is None else StreamTypesWithFooter(item_type, footer_type)
        )
    if footer_type is None:
        return StreamTypesWithHeader(item_type, header_type)
    return StreamTypesFull(item_type=item_type, header_type=header_type, footer_type=footer_type)


class StreamWriter(Generic[ItemT]):
    """Makes bytes of models, to be yielded as they are. Raises ValueError when they are out of order."""

    def __init__(self) -> None:
        self._last = _Kind.NOT_SET

    def yield_item(self, item: ItemT) -> bytes:
        """Return the bytes of an item."""
        if self._last is _Kind.FOOTER:
            raise ValueError("an item cannot follow the footer")
        return self._part(_Kind.ITEM, item)

    def _part(self, kind: _Kind, model: pydantic.BaseModel) -> bytes:
        body = model.model_dump_json().encode()
        part = _TAG.pack(kind, len(body)) + body
        self._last = kind
        return part


class StreamWriterWithHeader(StreamWriter[ItemT], Generic[ItemT, HeaderT]):
    """Writes a header and items."""

    def yield_header(self, header: HeaderT) -> bytes:
        """Return the bytes of the header, which goes first."""
        if self._last is not _Kind.NOT_SET:
            raise ValueError("the header goes before everything else, and once")
        return self._part(_Kind.HEADER, header)


class StreamWriterWithFooter(StreamWriter[ItemT], Generic[ItemT, FooterT]):
    """Writes items and a footer."""

    def yield_footer(self, footer: FooterT) -> bytes:
        """Return the bytes of the footer, which goes last."""
        if self._last is _Kind.FOOTER:
            raise ValueError("a stream has one footer")
        return self._part(_Kind.FOOTER, footer)


class StreamWriterFull(
    StreamWriterWithHeader[ItemT, HeaderT],
    StreamWriterWithFooter[ItemT, FooterT],
    Generic[ItemT, HeaderT, FooterT],
):
    """Writes a header, items and a footer."""


@overload
def stream_writer(
    types: StreamTypesFull[ItemT, HeaderT, FooterT],
) -> StreamWriterFull[ItemT, HeaderT, FooterT]: ...


@overload
def stream_writer(
    types: StreamTypesWithHeader[ItemT, HeaderT],
) -> StreamWriterWithHeader[ItemT, HeaderT]: ...


@overload
def stream_writer(
    types: StreamTypesWithFooter[ItemT, FooterT],
) -> StreamWriterWithFooter[ItemT, FooterT]: ...


@overload
def stream_writer(types: StreamTypes[ItemT]) -> StreamWriter[ItemT]: ...


def stream_writer(types: StreamTypes[Any]) -> StreamWriter[Any]:
    """Begin to write a stream; the writer has a method for each kind of part that the types name."""
    if isinstance(types, StreamTypesFull):
        return StreamWriterFull()
    if isinstance(types, StreamTypesWithHeader):
        return StreamWriterWithHeader()
    return StreamWriterWithFooter() if isinstance(types, StreamTypesWithFooter) else StreamWriter()


class StreamReader(Generic[ItemT]):
    """Reads models from bytes, in the order in which they were written.

    Raises ValueError when they come in another, asyncio.IncompleteReadError when a part is cut off.
    """

    def __init__(self, types: StreamTypes[ItemT], stream: AsyncIterable[bytes]) -> None:
        self._types = types
        self._chunks = aiter(stream)
        self._held = bytearray()
        self._next: Optional[tuple[_Kind, bytes]] = None

    async def read_items(self) -> AsyncIterator[ItemT]:
        """Yield the items up to the footer, or to the end."""
        kind, body = await self._peek()
        if kind is _Kind.HEADER:
            raise ValueError("the stream begins with a header: call `read_header` first")
        while kind is _Kind.ITEM:
            self._next = None
            yield self._types.item_type.model_validate_json(body)
            kind, body = await self._peek()
        if kind not in (_Kind.FOOTER, _Kind.END):
            raise ValueError(f"there is a part of kind {kind.name} behind the items")

    async def _take(self, wanted: _Kind) -> bytes:
        """Return the next part if it is of a kind; else it stays for who asks for it."""
        kind, body = await self._peek()
        if kind is not wanted:
            name = wanted.name.lower()
            raise ValueError(f"there is no {name} where it should be in the stream: {kind.name} is next")
        self._next = None
        return body

    async def _peek(self) -> tuple[_Kind, bytes]:
        if self._next is None:
            self._next = await self._read()
        return self._next

    async def _read(self) -> tuple[_Kind, bytes]:
        tag = await self._exactly(_TAG.size)
        if not tag:
            return _Kind.END, b""
        number, length = _TAG.unpack(tag)
        kind = _Kind(number)  # ValueError for what is none
        body = await self._exactly(length)
        if len(body) < length:
            raise asyncio.IncompleteReadError(tag + body, _TAG.size + length)
        return kind, body

    async def _exactly(self, size: int) -> bytes:
        """Return as many bytes, none where the stream has ended. Raises IncompleteReadError in between."""
        while len(self._held) < size:
            try:
                self._held += await anext(self._chunks)
            except StopAsyncIteration:
                if self._held:
                    raise asyncio.IncompleteReadError(bytes(self._held), size) from None
                return b""
        taken = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return taken


class StreamReaderWithHeader(StreamReader[ItemT], Generic[ItemT, HeaderT]):
    """Reads a header and items."""

    _types: StreamTypesWithHeader[ItemT, HeaderT]

    async def read_header(self) -> HeaderT:
        """Return the header; goes before everything else."""
        return self._types.header_type.model_validate_json(await self._take(_Kind.HEADER))


class StreamReaderWithFooter(StreamReader[ItemT], Generic[ItemT, FooterT]):
    """Reads items and a footer."""

    _types: StreamTypesWithFooter[ItemT, FooterT]

    async def read_footer(self) -> FooterT:
        """Return the footer; goes after the items."""
        return self._types.footer_type.model_validate_json(await self._take(_Kind.FOOTER))


class StreamReaderFull(
    StreamReaderWithHeader[ItemT, HeaderT],
    StreamReaderWithFooter[ItemT, FooterT],
    Generic[ItemT, HeaderT, FooterT],
):
    """Reads a header, items and a footer."""

    _types: StreamTypesFull[ItemT, HeaderT, FooterT]


@overload
def stream_reader(
    types: StreamTypesFull[ItemT, HeaderT, FooterT], stream: AsyncIterable[bytes]
) -> StreamReaderFull[ItemT, HeaderT, FooterT]: ...


@overload
def stream_reader(
    types: StreamTypesWithHeader[ItemT, HeaderT], stream: AsyncIterable[bytes]
) -> StreamReaderWithHeader[ItemT, HeaderT]: ...


@overload
def stream_reader(
    types: StreamTypesWithFooter[ItemT, FooterT], stream: AsyncIterable[bytes]
) -> StreamReaderWithFooter[ItemT, FooterT]: ...


@overload
def stream_reader(types: StreamTypes[ItemT], stream: AsyncIterable[bytes]) -> StreamReader[ItemT]: ...


def stream_reader(types: StreamTypes[Any], stream: AsyncIterable[bytes]) -> StreamReader[Any]:
    """Begin to read a stream; the reader has a method for each kind of part that the types name."""
    if isinstance(types, StreamTypesFull):
        return StreamReaderFull(types, stream)
    if isinstance(types, StreamTypesWithHeader):
        return StreamReaderWithHeader(types, stream)
    is_with_footer = isinstance(types, StreamTypesWithFooter)
    return StreamReaderWithFooter(types, stream) if is_with_footer else StreamReader(types, stream)
