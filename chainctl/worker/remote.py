"""The Endpoint of a chainlet in; an object that is called like it, but calls the running service, out."""

from __future__ import annotations

import codecs
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from chainctl.sdk.declaration import ENDPOINT, endpoint_of
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.signature import ResultCodec
from chainctl.worker.arguments import arguments_codec
from chainctl.worker.remote_error import RemoteFault
from chainctl.worker.transport import Transport


def remote_chainlet(cls: type, transport: Transport) -> Any:
    """Make a stand-in for a chainlet class: its `run_remote` has the same shape and calls the service."""
    call = RemoteEndpoint(cls, transport)
    endpoint = call.endpoint
    run: Any = call.run_stream if endpoint.is_stream else call.run if endpoint.is_async else call.run_sync
    return RemoteChainlet(cls.__name__, run)


class RemoteChainlet:
    """Stands for a chainlet that runs elsewhere."""

    def __init__(self, name: str, run_remote: Any) -> None:
        self._name = name
        self.run_remote = run_remote

    def __repr__(self) -> str:
        return f"<remote chainlet {self._name}>"


class RemoteEndpoint:
    """Encodes calls of one endpoint and decodes their results."""

    def __init__(self, cls: type, transport: Transport) -> None:
        self.endpoint = endpoint_of(cls)
        self._name = cls.__name__
        self._signature = _without_self(cls)
        self._arguments = arguments_codec(cls.__name__, self.endpoint)
        self._result = ResultCodec(self.endpoint.returns)
        self._transport = transport

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        return self._decoded(await self._transport.call(self._encoded(args, kwargs)))

    def run_sync(self, *args: Any, **kwargs: Any) -> Any:
        return self._decoded(self._transport.call_sync(self._encoded(args, kwargs)))

    async def run_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        chunks = self._transport.stream(self._encoded(args, kwargs))
        async with contextlib.aclosing(_text(chunks) if self.endpoint.returns is str else chunks) as items:
            async for item in items:
                yield item

    def _encoded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        bound = self._signature.bind(*args, **kwargs)
        try:
            return self._arguments.encode(bound.arguments)
        except InvalidValue as error:
            raise TypeError(f"`{self._name}.run_remote` was called with {error}") from error

    def _decoded(self, body: bytes) -> Any:
        try:
            return self._result.decode(body)
        except InvalidValue as error:
            raise RemoteFault(f"`{self._name}` answered what its type does not allow: {error}") from error


async def _text(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[Any, None]:
    """Decode UTF-8 that the network may have cut anywhere, also inside a character."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            text = decoder.decode(chunk)
            if text:
                yield text


def _without_self(cls: type) -> inspect.Signature:
    signature = inspect.signature(inspect.getattr_static(cls, ENDPOINT))
    return signature.replace(parameters=list(signature.parameters.values())[1:])
