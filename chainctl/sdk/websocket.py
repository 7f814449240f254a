"""The connection that a websocket endpoint is given, as a type, and the error for one that has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from typing import Any, Optional, Protocol, TypeVar, Union

T_co = TypeVar("T_co", covariant=True)


class WebSocketDisconnect(Exception):
    """The other side is gone. `code` is the close code of RFC 6455, 1006 where none was sent."""

    def __init__(self, code: int = 1000, reason: Optional[str] = None) -> None:
        self.code = code
        self.reason = reason or ""
        super().__init__(f"the websocket was closed with code {code}" + (f": {reason}" if reason else ""))


class Messages(Protocol[T_co]):
    """Messages as they come, until the other side closes: `async for message in websocket.iter_text()`.

    Awaiting it gives it back, for code that writes `async for message in await websocket.iter_text()`.
    """

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    async def __anext__(self) -> T_co: ...
    def __await__(self) -> Generator[Any, None, Messages[T_co]]: ...


class WebSocketProtocol(Protocol):
    """A websocket connection that was accepted: the one argument of a websocket endpoint.

    Receiving and sending raise WebSocketDisconnect once the other side is gone; the iterators end
    then. The connection is closed with 1000 when `run_remote` returns, with 1011 when it raises.
    """

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the request, with lower-case names; none of chainctl's own."""
        ...

    async def close(self, code: int = 1000, reason: Optional[str] = None) -> None: ...

    async def receive(self) -> Union[str, bytes]:
        """Return the next message, text or bytes as it was sent."""
        ...

    async def receive_text(self) -> str: ...
    async def receive_bytes(self) -> bytes: ...
    async def receive_json(self) -> Any: ...

    async def send_text(self, data: str) -> None: ...
    async def send_bytes(self, data: bytes) -> None: ...
    async def send_json(self, data: Any) -> None: ...

    def iter_text(self) -> Messages[str]: ...
    def iter_bytes(self) -> Messages[bytes]: ...
    def iter_json(self) -> Messages[Any]: ...

    def is_connected(self) -> bool:
        """Say whether neither side has closed, as far as it is known here."""
        ...
