"""The URL of a service outside the chain in; an object that calls it, to derive typed clients from, out."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping
from typing import Any, Literal, Optional, TypeVar, Union, overload

import pydantic
from typing_extensions import Self

from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.events import EventReader, EventTooLarge
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault
from chainctl.calls.stub_body import answer_value, request_message
from chainctl.calls.transport import Transport
from chainctl.errors import ChainsUsageError, MissingDependencyError
from chainctl.sdk.config import RPCOptions
from chainctl.sdk.context import API_KEY_SECRET, DeployedServiceDescriptor, DeploymentContext
from chainctl.sdk.read_secrets import READ_SECRETS

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)
Inputs = Union[pydantic.BaseModel, Mapping[str, Any]]
Auth = Optional[Literal["Api-Key", "Bearer"]]

_EVENTS_END = "[DONE]"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class StubBase:
    """Derive from it to give a service outside the chain a typed `run_remote`.

    Make one with `from_url`. Calls are POST requests to exactly that URL, of JSON or, with
    `RPCOptions(use_binary=True)`, of msgpack; answers are read by their content type.
    """

    def __init__(
        self,
        service_descriptor: DeployedServiceDescriptor,
        api_key: Optional[str] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        auth: Auth = "Api-Key",
    ) -> None:
        self._name = service_descriptor.display_name
        self._is_binary = service_descriptor.options.use_binary
        self._loop = ClientLoop()
        all_headers = {**_own_headers(headers or {}), **_credentials(self._name, auth, api_key)}
        self._transport = Transport(service_descriptor, all_headers, self._loop, path="")

    @classmethod
    def from_url(
        cls,
        predict_url: str,
        context_or_api_key: Union[DeploymentContext, str, None] = None,
        options: Optional[RPCOptions] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        auth: Auth = "Api-Key",
        secret: Optional[str] = None,
    ) -> Self:
        """Make a stub for a URL; the API key is given, or is a secret of the context.

        `auth` is the scheme of the `Authorization` header, None for no such header. `secret` names
        the context's secret, `baseten_chain_api_key` when not given. `headers` go with each call.
        Raises MissingDependencyError when there is no key or the URL is none, ChainsUsageError for
        what does not go together.
        """
        service = DeployedServiceDescriptor(
            name=cls.__name__,
            display_name=cls.__name__,
            predict_url=predict_url,
            options=options or RPCOptions(),
        )
        key = _key_of(context_or_api_key, auth, secret)
        return cls(service, key, headers=headers, auth=auth)

    @property
    def _remote(self) -> _Remote:
        """The older spelling: `self._remote.predict_async(json_payload={…})`."""
        return _Remote(self)

    @overload
    async def predict_async(self, inputs: Inputs) -> Any: ...
    @overload
    async def predict_async(self, inputs: Inputs, output_model: type[ModelT]) -> ModelT: ...
    async def predict_async(
        self, inputs: Inputs, output_model: Optional[type[pydantic.BaseModel]] = None
    ) -> Any:
        """Call the service; returns the answer's value, or the given model made of it.

        Raises RemoteFault (a GenericRemoteException), TimeoutError, or the error that the service tells of.
        """
        message = request_message(inputs, is_binary=self._is_binary)
        return await self._transport.call(message, lambda a: answer_value(self._name, a, output_model))

    @overload
    def predict_sync(self, inputs: Inputs) -> Any: ...
    @overload
    def predict_sync(self, inputs: Inputs, output_model: type[ModelT]) -> ModelT: ...
    def predict_sync(self, inputs: Inputs, output_model: Optional[type[pydantic.BaseModel]] = None) -> Any:
        """Do what `predict_async` does, from sync code."""
        message = request_message(inputs, is_binary=self._is_binary)
        return self._transport.call_sync(message, lambda a: answer_value(self._name, a, output_model))

    async def predict_async_stream(self, inputs: Inputs) -> AsyncGenerator[bytes, None]:
        """Call the service; returns an iterator over its answer as it comes."""
        return self._chunks(request_message(inputs, is_binary=self._is_binary))

    def predict_sync_stream(self, inputs: Inputs) -> Iterator[bytes]:
        """Call the service from sync code; yields its answer as it comes."""
        return self._from_loop(self._chunks(request_message(inputs, is_binary=self._is_binary)))

    async def stream_events(self, inputs: Inputs) -> AsyncGenerator[Any, None]:
        """Call a service that answers with server-sent events, such as an OpenAI-compatible one.

        Yields the data of each event, parsed where it is JSON, until `[DONE]` or the end. Raises
        RemoteFault for an answer that says of itself that it is something else.
        """
        message = request_message(inputs, accept="text/event-stream")
        reader = EventReader()
        async with self._transport.stream(message) as incoming:
            media = incoming.answer.media_type
            if media in _NO_EVENTS:
                raise RemoteFault(f"`{self._name}` answered {media}, not server-sent events")
            try:
                async for chunk in incoming.chunks:
                    for data in reader.feed(chunk):
                        if data.strip() == _EVENTS_END:
                            return
                        yield _event(data)
            except EventTooLarge as error:
                raise RemoteFault(f"`{self._name}` sent what is no stream of events: {error}") from error

    def stream_events_sync(self, inputs: Inputs) -> Iterator[Any]:
        """Do what `stream_events` does, from sync code."""
        return self._from_loop(self.stream_events(inputs))

    async def _chunks(self, message: Message) -> AsyncGenerator[bytes, None]:
        async with self._transport.stream(message) as incoming:
            async for chunk in incoming.chunks:
                yield chunk

    def _from_loop(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        try:
            while (item := self._loop.run(_next(items))) is not _END:
                yield item
        finally:
            self._loop.run(_closed(items))


class _Remote:
    """What `StubBase._remote` gives."""

    def __init__(self, stub: StubBase) -> None:
        self._stub = stub

    async def predict_async(self, json_payload: Mapping[str, Any]) -> Any:
        return await self._stub.predict_async(json_payload)

    def predict_sync(self, json_payload: Mapping[str, Any]) -> Any:
        return self._stub.predict_sync(json_payload)


_NO_EVENTS = ("application/json", "text/html")
_END: Any = object()


def _next(items: AsyncIterator[T]) -> Coroutine[Any, Any, T]:
    async def following() -> T:
        return await anext(items, _END)

    return following()


async def _closed(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()


def _event(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


def _key_of(given: Union[DeploymentContext, str, None], auth: Auth, secret: Optional[str]) -> Optional[str]:
    if isinstance(given, DeploymentContext):
        return given.secrets[secret or API_KEY_SECRET] if auth is not None or secret else None
    if secret is not None:
        raise ChainsUsageError(
            f"`secret={secret!r}` names a secret of the context, but no context was given.",
            hint="pass the context: `from_url(url, context, secret=…)`.",
        )
    return given


def _credentials(name: str, auth: Auth, api_key: Optional[str]) -> dict[str, str]:
    if auth is None:
        return {}
    if auth not in ("Api-Key", "Bearer"):
        raise ChainsUsageError(f'`auth={auth!r}`: it is "Api-Key", "Bearer" or None.')
    key = (api_key or "").strip()  # a file's text ends in a line break
    if not key:
        raise MissingDependencyError(
            f"`{name}` is called with `auth={auth!r}`, but there is no key",
            hint="give one, or the context; a service without keys is called with `auth=None`.",
        )
    READ_SECRETS.add(key)
    return _own_headers({"authorization": f"{auth} {key}"})


def _own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ChainsUsageError(f"the header {name!r} or its value holds what no header can hold.")
    return {name.lower(): value for name, value in headers.items()}
