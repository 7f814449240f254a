"""The Endpoint of a chainlet in; an object that is called like it, but calls the running service, out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Optional

from chainctl.calls.answer import Answer, Parts
from chainctl.calls.arguments import arguments_codec
from chainctl.calls.buffers import SHARED_HEADER, Buffers
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault, raised_in_stream
from chainctl.calls.transport import Transport
from chainctl.sdk.declaration import endpoint_of
from chainctl.sdk.stages import caller_signature
from chainctl.wire.frame import joined
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.item import ItemCodec
from chainctl.wire.media import FRAME, JSON, STREAM
from chainctl.wire.signature import ResultCodec
from chainctl.wire.stream_frame import FrameReader, Kind, StreamGarbage, whole_frame


def remote_chainlet(cls: type, transport: Transport, buffers: Optional[Buffers] = None) -> Any:
    """Make a stand-in for a chainlet class: its `run_remote` has the same shape and calls the service."""
    call = RemoteEndpoint(cls, transport, buffers or Buffers())
    return RemoteChainlet(cls.__name__, call.run_remote())


class RemoteChainlet:
    """Stands for a chainlet that runs elsewhere."""

    def __init__(self, name: str, run_remote: Any) -> None:
        self._name = name
        self.run_remote = run_remote

    def __repr__(self) -> str:
        return f"<remote chainlet {self._name}>"


class RemoteEndpoint:
    """Encodes calls of one endpoint and decodes their results.

    Where the types hold bytes or arrays, or the edge says `use_binary`, messages are frames.
    """

    def __init__(self, cls: type, transport: Transport, buffers: Buffers) -> None:
        self.cls = cls
        self.endpoint = endpoint = endpoint_of(cls)
        self._name = cls.__name__
        self._signature = caller_signature(cls)
        self._names = tuple(self._signature.parameters)
        self._known = frozenset(self._names)
        self._required = frozenset(p.name for p in endpoint.parameters if p.is_required)
        self._arguments = arguments_codec(cls.__name__, endpoint)
        self._result = None if endpoint.is_stream else ResultCodec(endpoint.returns)
        self._items = ItemCodec(endpoint.returns) if endpoint.is_stream else None
        self._sent_items = ItemCodec(endpoint.item_annotation) if endpoint.item_parameter else None
        self._transport = transport
        self._buffers = buffers
        is_binary = transport.service.options.use_binary
        self._sends_frames = is_binary or self._arguments.prefers_frames
        gets_frames = self._result is not None and (is_binary or self._result.prefers_frames)
        self._accept = STREAM if endpoint.is_stream else FRAME if gets_frames else JSON
        self._shared = buffers.identity if self._sends_frames or gets_frames else ""
        self._peer = ""

    def run_remote(self) -> Any:
        """The function that user code calls."""
        if self.endpoint.is_stream:
            return self.run_stream if self.endpoint.is_async else self.run_sync_stream
        return self.run if self.endpoint.is_async else self.run_sync

    def renewed(self, cls: type) -> RemoteEndpoint:
        """Return the endpoint of another version of the class, whose calls take the same way."""
        return RemoteEndpoint(cls, self._transport, self._buffers)

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        message, items = self._message(args, kwargs)
        if items is None:
            return await self._transport.call(message, self._decoded)
        async with self._transport.stream(message, self._sent(items)) as incoming:
            return self._decoded(await self._transport.whole(incoming))

    def run_sync(self, *args: Any, **kwargs: Any) -> Any:
        message, _ = self._message(args, kwargs)
        return self._transport.call_sync(message, self._decoded)

    async def run_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        message, items = self._message(args, kwargs)
        sent = None if items is None else self._sent(items)
        async with (
            self._transport.stream(message, sent) as incoming,
            contextlib.aclosing(self._received(incoming.chunks)) as received,
        ):
            async for item in received:
                yield item

    def run_sync_stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield the items of a stream to sync code."""
        stream: Any = self.run_stream(*args, **kwargs)
        try:
            while True:
                try:
                    yield self._transport.run_sync(anext(stream))
                except StopAsyncIteration:
                    return
        finally:
            self._transport.close_sync(stream)

    def _message(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Message, Optional[AsyncIterator[Any]]]:
        given = self._bound(args, kwargs)
        name = self.endpoint.item_parameter
        items = None if name is None else given.pop(name)
        try:
            return self._encoded(given, time.perf_counter_ns(), is_stream=items is not None), items
        except InvalidValue as error:
            raise TypeError(f"`{self._name}.run_remote` was called with {error}") from error

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name. Raises TypeError as the call of a function does, which the slow way words."""
        given = dict(zip(self._names, args))  # noqa: B905  # what is too many shows below
        given.update(kwargs)
        count = len(args) + len(kwargs)
        if len(given) == count and self._required <= given.keys() <= self._known:
            return given
        return dict(self._signature.bind(*args, **kwargs).arguments)

    def _encoded(self, given: dict[str, Any], began: int, *, is_stream: bool) -> Message:
        if is_stream:
            return Message((self._first_frame(given),), STREAM, self._accept)
        if not self._sends_frames:
            body = (self._arguments.encode(given),)
            return Message(body, JSON, self._accept, self._shared, time.perf_counter_ns() - began)
        placing = self._buffers.placing(self._peer)
        try:
            parts = self._arguments.encode_frame(given, placing.place)
        except BaseException:
            placing.release()
            raise
        took = time.perf_counter_ns() - began
        return Message(parts, FRAME, self._accept, self._shared, took, placing.release)

    def _first_frame(self, given: dict[str, Any]) -> bytes:
        if self._sends_frames:
            return whole_frame(Kind.FRAMED_ARGUMENTS, joined(self._arguments.encode_frame(given)))
        return whole_frame(Kind.ARGUMENTS, self._arguments.encode(given))

    async def _sent(self, items: AsyncIterator[Any]) -> AsyncIterator[Parts]:
        assert self._sent_items is not None
        async for item in items:
            try:
                yield (self._sent_items.frame(item),)
            except InvalidValue as error:
                raise TypeError(f"`{self._name}.run_remote` was sent an item with {error}") from error
        yield (whole_frame(Kind.END),)

    async def _received(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[Any, None]:
        assert self._items is not None
        reader = FrameReader()
        try:
            async for chunk in chunks:
                for kind, payload in reader.feed(chunk):
                    if kind is Kind.END:
                        break
                    if kind is Kind.ERROR:
                        raise raised_in_stream(self._transport.service.display_name, bytes(payload))
                    yield self._items.parse(kind, payload, self._buffers.find)
        except (StreamGarbage, InvalidValue) as error:
            raise RemoteFault(f"`{self._name}` streamed what its type does not allow: {error}") from error
        if not reader.is_over:
            raise RemoteFault(f"`{self._name}` broke off in the middle of its stream")

    def _decoded(self, answer: Answer) -> Any:
        assert self._result is not None
        if self._shared:
            self._peer = answer.headers.get(SHARED_HEADER, self._peer)
        try:
            if answer.media_type == FRAME:
                return self._result.decode_frame(answer.body, self._buffers.find)
            return self._result.decode(answer.body)
        except InvalidValue as error:
            raise RemoteFault(f"`{self._name}` answered what its type does not allow: {error}") from error
