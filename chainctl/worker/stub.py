"""The URL of a service outside the chain in; an object that calls it, to derive typed clients from, out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Optional, TypeVar, Union, overload

import pydantic
from typing_extensions import Self

from chainctl.sdk.config import RPCOptions
from chainctl.sdk.context import DeployedServiceDescriptor, DeploymentContext
from chainctl.worker.answer import Answer
from chainctl.worker.client_loop import ClientLoop
from chainctl.worker.message import Message
from chainctl.worker.transport import Transport

ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)
Inputs = Union[pydantic.BaseModel, Mapping[str, Any]]


class StubBase:
    """Derive from it to give a service outside the chain a typed `run_remote`.

    Make one with `from_url`. Calls are POST requests of JSON to exactly that URL, with the header
    `Authorization: Api-Key …`.
    """

    def __init__(self, service_descriptor: DeployedServiceDescriptor, api_key: str) -> None:
        headers = {"authorization": f"Api-Key {api_key.strip()}"}  # a file's text ends in a line break
        self._transport = Transport(service_descriptor, headers, ClientLoop(), path="")

    @classmethod
    def from_url(
        cls,
        predict_url: str,
        context_or_api_key: Union[DeploymentContext, str],
        options: Optional[RPCOptions] = None,
    ) -> Self:
        """Make a stub for a URL; the API key is given, or is the context's secret for it.

        Raises MissingDependencyError when there is no key or the URL is none.
        """
        service = DeployedServiceDescriptor(
            name=cls.__name__,
            display_name=cls.__name__,
            predict_url=predict_url,
            options=options or RPCOptions(),
        )
        given = context_or_api_key
        key = given.get_baseten_api_key() if isinstance(given, DeploymentContext) else given
        return cls(service, key)

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
        """Call the service; returns parsed JSON, or the given model made of it."""
        return await self._transport.call(_message(inputs), lambda answer: _parsed(answer, output_model))

    @overload
    def predict_sync(self, inputs: Inputs) -> Any: ...
    @overload
    def predict_sync(self, inputs: Inputs, output_model: type[ModelT]) -> ModelT: ...
    def predict_sync(self, inputs: Inputs, output_model: Optional[type[pydantic.BaseModel]] = None) -> Any:
        """Do what `predict_async` does, from sync code."""
        return self._transport.call_sync(_message(inputs), lambda answer: _parsed(answer, output_model))

    async def predict_async_stream(self, inputs: Inputs) -> AsyncIterator[bytes]:
        """Call the service; returns an iterator over its answer as it comes."""
        return self._streamed(_message(inputs))

    async def _streamed(self, message: Message) -> AsyncIterator[bytes]:
        async with self._transport.stream(message) as incoming:
            async for chunk in incoming.chunks:
                yield chunk


class _Remote:
    """What `StubBase._remote` gives."""

    def __init__(self, stub: StubBase) -> None:
        self._stub = stub

    async def predict_async(self, json_payload: Mapping[str, Any]) -> Any:
        return await self._stub.predict_async(json_payload)

    def predict_sync(self, json_payload: Mapping[str, Any]) -> Any:
        return self._stub.predict_sync(json_payload)


def _message(inputs: Inputs) -> Message:
    if isinstance(inputs, pydantic.BaseModel):
        return Message((inputs.model_dump_json().encode(),))
    return Message((json.dumps(inputs).encode(),))


def _parsed(answer: Answer, output_model: Optional[type[pydantic.BaseModel]]) -> Any:
    body = bytes(answer.body)
    return output_model.model_validate_json(body) if output_model else json.loads(body)
