"""A chainlet object and the bytes of a call in; the bytes of its result out."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any

from chainctl.sdk.declaration import Declaration
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.signature import ResultCodec
from chainctl.worker.arguments import arguments_codec


class OutputMismatch(Exception):
    """What `run_remote` returned does not fit its annotation."""


class EndpointCall:
    """Calls one chainlet's `run_remote` with decoded arguments and encodes what it returns."""

    def __init__(self, declaration: Declaration, instance: Any) -> None:
        self.declaration = declaration
        self._run = instance.run_remote
        self._arguments = arguments_codec(declaration.cls.__name__, declaration.endpoint)
        self._result = ResultCodec(declaration.endpoint.returns)

    def decode(self, body: bytes) -> dict[str, Any]:
        """Parse arguments. Raises InvalidValue."""
        return self._arguments.decode(body or b"{}")

    def encode(self, result: Any) -> bytes:
        """Serialise a result. Raises OutputMismatch saying which field does not fit."""
        try:
            return self._result.encode(result)
        except InvalidValue as error:
            name = self.declaration.display_name
            raise OutputMismatch(
                f"`{name}.run_remote` returned what its type does not allow: {error}"
            ) from None

    def run_sync(self, arguments: dict[str, Any]) -> Any:
        return self._run(**arguments)

    async def run(self, arguments: dict[str, Any]) -> Any:
        return await self._run(**arguments)

    async def run_stream(self, arguments: dict[str, Any]) -> AsyncIterator[bytes]:
        async for item in self._run(**arguments):
            yield self._item(item)

    def schemas(self) -> dict[str, Any]:
        """JSON Schemas of input and output."""
        return {"input": self._arguments.schema(), "output": self._result.schema()}

    # --- the same through the wire format and back, for local runs ---

    async def round_trip(self, *args: Any, **kwargs: Any) -> Any:
        return self._result.decode(self.encode(await self.run(self._crossed(args, kwargs))))

    def round_trip_sync(self, *args: Any, **kwargs: Any) -> Any:
        return self._result.decode(self.encode(self.run_sync(self._crossed(args, kwargs))))

    async def round_trip_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        is_text = self.declaration.endpoint.returns is str
        async for item in self.run_stream(self._crossed(args, kwargs)):
            yield item.decode() if is_text else item

    def _crossed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = inspect.signature(self._run).bind(*args, **kwargs)
        try:
            return self.decode(self._arguments.encode(bound.arguments))
        except InvalidValue as error:
            name = self.declaration.display_name
            raise TypeError(f"`{name}.run_remote` was called with {error}") from error

    def _item(self, item: Any) -> bytes:
        expected = self.declaration.endpoint.returns
        if not isinstance(item, expected):
            name = self.declaration.display_name
            raise OutputMismatch(
                f"`{name}.run_remote` yielded {type(item).__name__}, not {expected.__name__}"
            )
        return item.encode() if isinstance(item, str) else bytes(item)
