"""HTTP requests in, the answers of one chainlet's Worker out, as a plain ASGI app.

Routes: `POST /run_remote`, `GET /healthz` (the process answers), `/readyz` (calls can be taken),
`/schema`, `/openapi.json`. Everything but the two health routes wants the chain's internal token.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Optional, Union

from chainctl.server.openapi import openapi
from chainctl.wire.fault import error_body
from chainctl.worker.boot import TOKEN_HEADER
from chainctl.worker.worker import Reply, Worker

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DEFAULT_BODY_LIMIT = 512 * 1024 * 1024
_JSON_TYPES = ("application/json", "text/json", "")
_OPEN_PATHS = ("/healthz", "/readyz")
_METHODS = {
    "/run_remote": "POST",
    "/healthz": "GET",
    "/readyz": "GET",
    "/schema": "GET",
    "/openapi.json": "GET",
}


class ChainletApp:
    """Serves one chainlet; `worker` is set when it has booted. `body_limit` is in bytes."""

    def __init__(
        self, name: str, token: Optional[str] = None, *, body_limit: int = DEFAULT_BODY_LIMIT
    ) -> None:
        self.worker: Optional[Worker] = None
        self._name = name
        self._token = token.encode() if token else None
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await _send(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"], scope["method"]
        allowed = _METHODS.get(path)
        if allowed is None:
            return _refusal(404, "not_found", f"there is no {path}; calls go to POST /run_remote")
        if method != allowed and not (allowed == "GET" and method == "HEAD"):
            return _refusal(405, "method_not_allowed", f"{path} takes {allowed}, not {method}")
        headers = dict(scope["headers"])
        if path not in _OPEN_PATHS and not self._is_trusted(headers):
            return _refusal(401, "unauthorized", "this service answers only its own chain")
        if path == "/run_remote":
            return await self._run(headers, receive)
        return await self._describe(path)

    def _is_trusted(self, headers: dict[bytes, bytes]) -> bool:
        given = headers.get(TOKEN_HEADER.encode(), b"")
        return self._token is None or hmac.compare_digest(given, self._token)

    async def _run(self, headers: dict[bytes, bytes], receive: Receive) -> Reply:
        content_type = headers.get(b"content-type", b"").decode("latin-1").split(";")[0].strip().lower()
        if content_type not in _JSON_TYPES:
            return _refusal(415, "unsupported_media_type", f"{content_type!r}: send application/json")
        body = await _body(receive, self._body_limit)
        if isinstance(body, Reply):
            return body
        if self.worker is None:
            return Reply(503, error_body("not_ready", f"{self._name} is starting"), not_started=True)
        return await self.worker.call(body)

    async def _describe(self, path: str) -> Reply:
        if path == "/healthz":
            return _json(200, {"status": "ok"})
        if self.worker is None:
            return _json(503, {"status": "starting", "chainlet": self._name})
        if path == "/readyz":
            health = await self.worker.health()
            status = {"status": "ready" if health.is_ready else "unhealthy", "chainlet": self._name}
            return _json(200 if health.is_ready else 503, {**status, "reason": health.reason})
        schemas = self.worker.schemas()
        return _json(200, schemas if path == "/schema" else openapi(self._name, schemas))


async def _body(receive: Receive, limit: int) -> Union[bytes, Reply]:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return _refusal(400, "malformed", "the request ended before its body did")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            return _refusal(413, "too_large", f"the body is larger than the limit of {limit} bytes")
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(send: Send, reply: Reply) -> None:
    headers = [(b"content-type", reply.content_type.encode())]
    if reply.not_started:
        headers += [(b"x-chainctl-not-started", b"1"), (b"retry-after", b"1")]
    if isinstance(reply.body, bytes):
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if isinstance(reply.body, bytes):
        await send({"type": "http.response.body", "body": reply.body})
    else:
        await _send_stream(send, reply.body)


async def _send_stream(send: Send, chunks: AsyncIterator[bytes]) -> None:
    """Send a body as it comes; an error in it breaks the connection, so that nobody takes it for whole."""
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _refusal(status: int, kind: str, message: str) -> Reply:
    return Reply(status, error_body(kind, message))


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode())
