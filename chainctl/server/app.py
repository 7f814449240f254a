"""HTTP requests of outsiders in, the answers of one chainlet out, as a plain ASGI app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Optional, Protocol, Union

from chainctl.server.lean import LeanConnection
from chainctl.server.service import ChainletService, refuse
from chainctl.server.websocket import serve_websocket
from chainctl.wire.fault import not_ready
from chainctl.worker.error_reply import reply_of
from chainctl.worker.worker import Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_SCRATCH_BYTES = 64 * 1024


class OuterApp(Protocol):
    """An ASGI app that takes some requests, and leaves the others to ours."""

    def takes(self, scope: Scope) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class ChainletApp:
    """Serves one chainlet to whoever uvicorn speaks with. `scratch` is what inner connections read into.

    `outer` takes what comes from outside of the chain, where a server of the image's own answers it.
    """

    def __init__(self, service: ChainletService) -> None:
        self.service = service
        self.lean: set[LeanConnection] = set()
        self.scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self.outer: Optional[OuterApp] = None

    async def close_stale(self) -> None:
        """Hang up on inner connections that have been silent for long. Called now and then."""
        now = time.monotonic()
        for connection in list(self.lean):
            connection.close_if_stale(now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.outer is not None and self.outer.takes(scope):
            await self.outer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        path = scope["path"]
        refusal = self.service.refusal(scope["method"], path, headers)
        if refusal is not None:
            await send_reply(send, refusal)
            return
        body = await self._body(receive)
        if isinstance(body, Reply):
            await send_reply(send, body)
            return
        query = scope["query_string"].decode("latin-1")
        answer = self.service.answer(path, headers, body, None, query, scope["method"])
        await until_gone(_answered(answer, send), receive)

    async def _body(self, receive: Receive) -> Union[bytes, Reply]:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return refuse(400, "malformed", "the request ended before its body did")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.service.body_limit:
                return self.service.too_large()
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        worker = self.service.worker
        if not self.service.is_trusted(headers):
            await deny(send, scope, refuse(401, "unauthorized", "this service answers only its own chain"))
        elif worker is None:
            await deny(send, scope, reply_of(not_ready(self.service.name)))
        elif not worker.is_websocket:
            message = f"{self.service.name} is called by POST /run_remote, not by WebSocket"
            await deny(send, scope, refuse(400, "bad_request", message))
        else:
            context = self.service.context(headers)
            method = "websocket" if self.service.serves_truss_routes else "run_remote"
            await serve_websocket(scope, receive, send, lambda s: worker.websocket(s, context), method)


async def deny(send: Send, scope: Scope, reply: Reply) -> None:
    """Refuse a handshake, with a body where the server can send one; else it answers 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = b"".join(reply.parts or ())
    headers = [*_header_lines(reply), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _answered(answer: Awaitable[Reply], send: Send) -> None:
    await send_reply(send, await answer)


async def until_gone(work: Awaitable[None], receive: Receive) -> None:
    """Do the work, but stop it when the client goes away: `receive` waits for that, as long as nothing comes."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()
    finally:
        working.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_reply(send: Send, reply: Reply) -> None:
    """Send an answer, whole or as it is made."""
    parts = reply.parts
    headers = _header_lines(reply)
    if parts is not None:
        headers.append((b"content-length", str(sum(map(len, parts))).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if parts is None:
        await _send_stream(send, reply.body)
    else:
        await send({"type": "http.response.body", "body": b"".join(parts)})
        if reply.release is not None:
            reply.release()


def _header_lines(reply: Reply) -> list[tuple[bytes, bytes]]:
    lines = [("content-type", reply.content_type)] if reply.lines is None else [*reply.lines]
    written = {name.lower() for name, _ in lines}
    lines += [(name, value) for name, value in reply.headers.items() if name.lower() not in written]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]


async def _send_stream(send: Send, chunks: Any) -> None:
    """Send a body as it comes; an error in it breaks the connection, so that nobody takes it for whole."""
    stream: AsyncIterator[bytes] = chunks
    try:
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if hasattr(stream, "aclose"):
            await stream.aclose()
