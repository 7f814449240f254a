"""A conversation with the server that an image brings in; its messages passed on, both ways, out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Optional

from chainctl.server.app import Receive, Scope, Send, deny
from chainctl.server.service import ChainletService, refuse
from chainctl.wire.fault import not_ready
from chainctl.worker.error_reply import reply_of
from chainctl.worker.models.docker_server import ServerWorker, passed_on
from chainctl.worker.models.server_settings import HOST

_OPEN_SEC = 10.0
_RESTARTING = 1012
_FAILED = 1011
_SENDABLE_CODES = range(1000, 5000)
_NOT_SENDABLE = (1004, 1005, 1006, 1015)
_LOG = logging.getLogger("chainctl.server")


async def forward_websocket(service: ChainletService, scope: Scope, receive: Receive, send: Send) -> None:
    """Open the same conversation with the server, and pass on what either side says until one of them ends it."""
    worker = service.worker
    if not service.is_trusted(dict(scope["headers"])):
        await deny(send, scope, refuse(401, "unauthorized", "this service answers only its own chain"))
    elif not isinstance(worker, ServerWorker):
        await deny(send, scope, reply_of(not_ready(service.name)))
    else:
        await _forward(worker, scope, receive, send)


async def _forward(worker: ServerWorker, scope: Scope, receive: Receive, send: Send) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    target = worker.settings.target_of(target_of(scope))
    try:
        async with connect(
            f"ws://{HOST}:{worker.settings.port}{target}",
            subprotocols=scope.get("subprotocols") or None,
            additional_headers=_headers(scope),
            user_agent_header=None,
            compression=None,
            open_timeout=_OPEN_SEC,
            ping_interval=None,
            max_size=None,
            proxy=None,
        ) as server:
            if (await receive())["type"] == "websocket.connect":
                await send({"type": "websocket.accept", "subprotocol": server.subprotocol})
                await _passed_on(server, receive, send)
    except InvalidStatus as error:
        status = error.response.status_code
        await deny(
            send, scope, refuse(status, "bad_request", f"the server answers {status} to the handshake")
        )
    except (OSError, TimeoutError, WebSocketException) as error:
        await deny(send, scope, refuse(502, "dependency", f"the server takes no conversation: {error}"))


async def _passed_on(server: Any, receive: Receive, send: Send) -> None:
    """Pass messages on until one side ends the conversation; the other is told how."""
    ways = [asyncio.ensure_future(way) for way in (_to_server(server, receive), _from_server(server, send))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            if way.done():
                way.result()
    except asyncio.CancelledError:
        await _quietly(send({"type": "websocket.close", "code": _RESTARTING}))
        raise
    finally:
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)


async def _to_server(server: Any, receive: Receive) -> None:
    from websockets.exceptions import ConnectionClosed

    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or 1000
            await server.close(_sendable(code) or 1000, message.get("reason") or "")
            return
        text: Optional[str] = message.get("text")
        try:
            await server.send(message.get("bytes") or b"" if text is None else text)
        except ConnectionClosed:
            await asyncio.Event().wait()  # the other way says how it ended


async def _from_server(server: Any, send: Send) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        while True:
            message = await server.recv()
            kind = "text" if isinstance(message, str) else "bytes"
            await _quietly(send({"type": "websocket.send", kind: message}))
    except ConnectionClosed as closed:
        code = _sendable(closed.rcvd.code) if closed.rcvd else None
        reason = closed.rcvd.reason if closed.rcvd else ""
        await _quietly(send({"type": "websocket.close", "code": code or _FAILED, "reason": reason}))


async def _quietly(sending: Awaitable[None]) -> None:
    """Send to who may have gone: that is told by what is received."""
    try:
        await sending
    except Exception as gone:  # noqa: BLE001  # servers raise various things for a connection that is over
        _LOG.debug("%s", gone)


def _sendable(code: int) -> Optional[int]:
    """A close code as it may be sent: some only say that there was none."""
    return code if code in _SENDABLE_CODES and code not in _NOT_SENDABLE else (1000 if code == 1005 else None)


def target_of(scope: Scope) -> str:
    """Return path and query as they were written."""
    path = (scope.get("raw_path") or str(scope["path"]).encode()).partition(b"?")[0].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def lines_of(scope: Scope) -> list[tuple[str, str]]:
    """Return the headers as text."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in passed_on(lines_of(scope))
        if name != "host" and not name.startswith("sec-websocket-")
    ]
