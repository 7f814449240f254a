"""The ASGI messages of one websocket in; a connection as user code sees it, and the right close code, out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, MutableMapping
from typing import Any, Generic, Optional, TypeVar, Union

from pydantic_core import to_json

from chainctl.sdk.websocket import WebSocketDisconnect, WebSocketProtocol
from chainctl.worker.failure import log_text
from chainctl.worker.gate import Overloaded

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NORMAL = 1000
ABNORMAL = 1006
FAILED = 1011
RESTARTING = 1012
TRY_AGAIN = 1013
_NO_CODE = 1005
_OURS = b"x-chainctl-"
_LONGEST_REASON = 123  # bytes, in RFC 6455
_LOG = logging.getLogger("chainctl.server")


async def serve_websocket(
    scope: Scope,
    receive: Receive,
    send: Send,
    run: Callable[[WebSocketProtocol], Awaitable[None]],
    method: str = "run_remote",
) -> None:
    """Accept a connection, run the endpoint on it, and close it. `method` is its name for the log.

    The close code is 1000 when `run` returns, 1011 when it raises, which is logged, and 1013 when too
    many wait already. What `run` raises because the other side is gone is no error.
    """
    websocket = AsgiWebSocket(scope, receive, send)
    try:
        await websocket.accept()
        await run(websocket)
    except WebSocketDisconnect as gone:
        if websocket.is_connected():  # the user's code raised it by itself
            await websocket.close_quietly(FAILED)
        _LOG.info("%s", gone)
    except asyncio.CancelledError:
        await websocket.close_quietly(RESTARTING)
        raise
    except Overloaded as error:
        _LOG.warning("%s", error)
        await websocket.close_quietly(TRY_AGAIN)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary to user code
        _LOG.error("%s raised %s", method, log_text(error))
        await websocket.close_quietly(FAILED)
    else:
        await websocket.close_quietly(NORMAL)


class AsgiWebSocket:
    """A WebSocketProtocol over ASGI messages."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._headers = _headers(scope)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ended: Optional[WebSocketDisconnect] = None

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    def is_connected(self) -> bool:
        return self._ended is None

    async def accept(self) -> None:
        """Finish the handshake. Raises WebSocketDisconnect when the other side left during it."""
        message = await self._receive()
        if message["type"] != "websocket.connect":
            raise self._end(ABNORMAL)
        await self._sent({"type": "websocket.accept"})

    async def close(self, code: int = NORMAL, reason: Optional[str] = None) -> None:
        if self._ended is not None:
            return
        short = (reason or "").encode()[:_LONGEST_REASON].decode(errors="ignore")
        await self._sent({"type": "websocket.close", "code": code, "reason": short})
        self._end(code, short)

    async def close_quietly(self, code: int) -> None:
        """Close if that is still possible."""
        try:
            await self.close(code)
        except WebSocketDisconnect as gone:
            _LOG.debug("%s", gone)

    async def receive(self) -> Union[str, bytes]:
        message = await self._raw()
        if self._ended is not None:
            raise self._ended
        text: Optional[str] = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def receive_text(self) -> str:
        message = await self.receive()
        if isinstance(message, bytes):
            raise ValueError("the other side sent bytes where text was expected")
        return message

    async def receive_bytes(self) -> bytes:
        message = await self.receive()
        if isinstance(message, str):
            raise ValueError("the other side sent text where bytes were expected")
        return message

    async def receive_json(self) -> Any:
        return json.loads(await self.receive())

    async def send_text(self, data: str) -> None:
        await self._sent({"type": "websocket.send", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        await self._sent({"type": "websocket.send", "bytes": bytes(data)})

    async def send_json(self, data: Any) -> None:
        text = to_json(data, bytes_mode="base64", inf_nan_mode="constants").decode()
        await self._sent({"type": "websocket.send", "text": text})

    def channel(self) -> tuple[Scope, Receive, Send]:
        """What another object needs to speak on this connection; it is known here when that closes it."""
        shown = [(name, value) for name, value in self._scope["headers"] if not _is_ours(name)]
        return {**self._scope, "headers": shown}, self._raw, self._passed

    async def _raw(self) -> Message:
        if self._ended is not None:
            raise self._ended
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._end(_code_of(message), message.get("reason"))
        return message

    async def _passed(self, message: Message) -> None:
        await self._sent(message)
        if message["type"] == "websocket.close":
            self._end(message.get("code", NORMAL), message.get("reason"))

    def iter_text(self) -> _Messages[str]:
        return _Messages(self.receive_text)

    def iter_bytes(self) -> _Messages[bytes]:
        return _Messages(self.receive_bytes)

    def iter_json(self) -> _Messages[Any]:
        return _Messages(self.receive_json)

    async def _sent(self, message: Message) -> None:
        if self._ended is not None:
            raise self._ended
        try:
            await self._send(message)
        except OSError as error:  # the server's way to say that nobody is there
            raise self._end(ABNORMAL) from error

    def _end(self, code: int, reason: Optional[str] = None) -> WebSocketDisconnect:
        self._ended = WebSocketDisconnect(code, reason)
        return self._ended


class _Messages(Generic[T]):
    """Messages until the other side closes; awaiting it gives itself."""

    def __init__(self, receive: Callable[[], Awaitable[T]]) -> None:
        self._receive = receive

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._receive()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    def __await__(self) -> Generator[Any, None, _Messages[T]]:
        return self._itself().__await__()

    async def _itself(self) -> _Messages[T]:
        return self


def _code_of(message: Message) -> int:
    """The code of the other side. uvicorn says "no code" without a reason also where no close came at all."""
    code: int = message.get("code", ABNORMAL)
    return ABNORMAL if code == _NO_CODE and "reason" not in message else code


def _is_ours(name: bytes) -> bool:
    return name.lower().startswith(_OURS)


def _headers(scope: Scope) -> dict[str, str]:
    """Headers of the client; what the chain adds for itself, its internal token too, is not shown."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if _is_ours(raw_name):
            continue
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
