"""A chainlet object and the body of a call in; the body of its result out."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Optional

from chainctl.calls.answer import Buffer
from chainctl.calls.arguments import arguments_codec
from chainctl.calls.buffers import SHARED_HEADER, Buffers
from chainctl.sdk.declaration import Declaration
from chainctl.sdk.stages import caller_signature, last_stage
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.wire.frame import joined
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.item import ItemCodec
from chainctl.wire.media import FRAME, JSON, JSON_TYPES, MSGPACK, MSGPACK_TYPES
from chainctl.wire.signature import Codec, ResultCodec
from chainctl.worker.output import OutputMismatch
from chainctl.worker.stages import Stages, stages_of
from chainctl.worker.stream_reply import StreamForm, stream_form
from chainctl.worker.worker import Call, Reply

Find = Callable[[str, int], memoryview]


class EndpointCall:
    """Calls one chainlet's `run_remote` with decoded arguments and encodes what it returns."""

    def __init__(self, declaration: Declaration, instance: Any) -> None:
        endpoint = self._endpoint = declaration.endpoint
        self.declaration = declaration
        self._run = instance.run_remote
        self._instance = instance
        self._signature = caller_signature(declaration.cls)
        self._last = last_stage(declaration.cls)
        self._arguments = arguments_codec(declaration.cls.__name__, endpoint)
        self._result = None if endpoint.is_stream else ResultCodec(endpoint.returns)
        self.item_codec = ItemCodec(endpoint.returns) if endpoint.is_stream else None
        self.input_codec = ItemCodec(endpoint.item_annotation) if endpoint.item_parameter else None

    @functools.cached_property
    def stages(self) -> Optional[Stages]:
        """What a call goes through, None where it goes straight to `run_remote`."""
        forms = self.declaration.stages
        return None if forms is None else stages_of(self._instance, forms)

    def decode(self, media: str, body: Buffer, find: Optional[Find] = None) -> dict[str, Any]:
        """Parse arguments. Raises InvalidValue."""
        decoded: dict[str, Any]
        if media in JSON_TYPES:
            decoded = self._arguments.decode(body or b"{}")
        elif media == FRAME:
            decoded = self._arguments.decode_frame(body, find)
        else:
            decoded = self._arguments.decode_msgpack(body)
        return decoded

    def reply(self, result: Any, call: Call, buffers: Buffers) -> Reply:
        """Serialise a result in the form that the caller takes. Raises OutputMismatch."""
        media = self._media(call)
        if media == JSON:
            return Reply(200, self.encode(result))
        codec = self._result
        assert codec is not None
        if media == MSGPACK:
            answer = MSGPACK if call.media in JSON_TYPES else call.media
            return Reply(200, self._checked(codec.encode_msgpack, result), answer)
        placing = buffers.placing(call.shared)
        try:
            parts = self._checked(lambda value: codec.encode_frame(value, placing.place), result)
        except BaseException:
            placing.release()
            raise
        here = {SHARED_HEADER: buffers.identity} if call.shared and buffers.identity else {}
        return Reply(200, parts, FRAME, headers=here, release=placing.release)

    def encode(self, result: Any) -> bytes:
        """Serialise a result as JSON. Raises OutputMismatch saying which field does not fit."""
        assert self._result is not None
        encoded: bytes = self._checked(self._result.encode, result)
        return encoded

    def run_sync(self, arguments: dict[str, Any]) -> Any:
        return self._run(**arguments)

    def run(self, arguments: dict[str, Any]) -> Awaitable[Any]:
        result: Awaitable[Any] = self._run(**arguments)
        return result

    def run_stream(self, arguments: dict[str, Any]) -> AsyncGenerator[Any, None]:
        generator: AsyncGenerator[Any, None] = self._run(**arguments)
        return generator

    async def converse(self, socket: WebSocketProtocol) -> None:
        """Run a websocket endpoint."""
        (parameter,) = self.declaration.endpoint.parameters
        await self._run(**{parameter.name: socket})

    def stream_form(self, accept: str) -> StreamForm:
        """How the items of a stream are written for a caller. An item that does not fit is an OutputMismatch."""
        assert self.item_codec is not None
        form = stream_form(self.item_codec, accept)
        name = self.declaration.display_name
        return replace(form, item=lambda item: self._checked(form.item, item), chainlet=name)

    def schemas(self) -> dict[str, Any]:
        """JSON Schemas of input and output; those of a stream are of one item."""
        codec = self._result or self.item_codec
        assert codec is not None
        return {"input": self._arguments.schema(), "output": codec.schema()}

    # --- the same through the wire format and back, for local runs ---

    async def round_trip(self, *args: Any, **kwargs: Any) -> Any:
        return self._back(await self.run(self._crossed(args, kwargs)))

    def round_trip_sync(self, *args: Any, **kwargs: Any) -> Any:
        return self._back(self.run_sync(self._crossed(args, kwargs)))

    async def round_trip_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with aclosing(self.run_stream(self._crossed(args, kwargs))) as items:
            async for item in items:
                yield self._item_back(item)

    def round_trip_sync_stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for item in self.run_sync(self._crossed(args, kwargs)):
            yield self._item_back(item)

    def _crossed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        given = self._signature.bind(*args, **kwargs).arguments
        items = self._endpoint.item_parameter
        try:
            crossed = crossed_over(self._arguments, {k: v for k, v in given.items() if k != items})
        except InvalidValue as error:
            name = self.declaration.display_name
            raise TypeError(f"`{name}.run_remote` was called with {error}") from error
        return {**crossed, items: self._items_across(given[items])} if items is not None else crossed

    async def _items_across(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        assert self.input_codec is not None
        async for item in items:
            yield self.input_codec.round_trip(item)

    def _back(self, result: Any) -> Any:
        assert self._result is not None
        codec = self._result
        return self._checked(lambda value: crossed_over(codec, value), result)

    def _item_back(self, item: Any) -> Any:
        assert self.item_codec is not None
        return self._checked(self.item_codec.round_trip, item)

    def _media(self, call: Call) -> str:
        """The form of the answer: what the caller accepts, else what it sent."""
        accept = call.accept
        if FRAME in accept:
            return FRAME if self._result is not None and self._result.prefers_frames else JSON
        if JSON in accept:
            return JSON
        if call.media in MSGPACK_TYPES or "msgpack" in accept:
            return MSGPACK
        return JSON

    def _checked(self, encode: Callable[[Any], Any], result: Any) -> Any:
        try:
            return encode(result)
        except InvalidValue as error:
            name = self.declaration.display_name
            what = f"`{name}.{self._last}` returned what its type does not allow: {error}"
            raise OutputMismatch(what, error) from None


def crossed_over(codec: Codec, value: Any) -> Any:
    """Encode and decode a value in the form that services use between them. Raises InvalidValue."""
    if codec.prefers_frames:
        return codec.decode_frame(joined(codec.encode_frame(value)))
    return codec.decode(codec.encode(value))
