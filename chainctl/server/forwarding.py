"""Requests from outside of a chain in; the answers of the server that its image brings out, as they come.

The routes of ours that stay are `/healthz`, `/readyz`, `/openz` and `/metrics`; all that is below `/-`
is for the chain's own services, as everywhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Optional

from chainctl.calls.answer import BrokenAnswerError, Buffer
from chainctl.server.app import Message, Receive, Scope, Send, send_reply, until_gone
from chainctl.server.forwarded_websocket import forward_websocket, lines_of, target_of
from chainctl.server.service import INNER, ChainletService, refuse
from chainctl.worker.worker import ForwardedRequest

_LOG = logging.getLogger("chainctl.server")
OURS = frozenset(["/healthz", "/readyz", "/openz", "/metrics"])


class ForwardingApp:
    """Takes what the server of the image answers."""

    def __init__(self, service: ChainletService) -> None:
        self._service = service

    def takes(self, scope: Scope) -> bool:
        path = str(scope.get("path", ""))
        return (
            scope["type"] in ("http", "websocket") and path not in OURS and not path.startswith(f"{INNER}/")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await forward_websocket(self._service, scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._service.is_trusted(headers):
            await send_reply(send, refuse(401, "unauthorized", "this service answers only its own chain"))
            return
        try:
            await self._forward(scope, headers, _Upload(receive), send)
        except _CallerGone as gone:
            _LOG.debug("%s", gone)
        except BrokenAnswerError:  # returning in the middle of an answer breaks the caller's connection too
            _LOG.error("the server of %s broke off in the middle of an answer", self._service.name)

    async def _forward(self, scope: Scope, headers: dict[bytes, bytes], upload: _Upload, send: Send) -> None:
        body = await upload.whole()
        request = _request(scope)
        chunks = None if body is not None else upload.chunks()
        answer = self._service.forward(request, headers, body or b"", chunks)

        async def answered() -> None:
            await send_reply(send, await answer)

        await until_gone(answered(), upload.after)


def _request(scope: Scope) -> ForwardedRequest:
    length = dict(scope["headers"]).get(b"content-length", b"")
    size = int(length) if length.isdigit() else None
    return ForwardedRequest(str(scope["method"]), target_of(scope), lines_of(scope), size)


class _CallerGone(Exception):
    """Nobody waits for an answer any more."""


class _Upload:
    """The body of a request, and after it whether its sender is still there."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Optional[Message] = None
        self._is_read = asyncio.Event()

    async def whole(self) -> Optional[bytes]:
        """Return a body that came in one piece, None for a longer one."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _CallerGone("the caller went away before its request was read")
        if message.get("more_body", False):
            self._first = message
            return None
        self._is_read.set()
        return bytes(message.get("body", b""))

    async def chunks(self) -> AsyncIterator[Buffer]:
        """Yield a body as it comes. Raises _CallerGone."""
        message = self._first or await self._receive()
        while message["type"] != "http.disconnect":
            yield message.get("body", b"")
            if not message.get("more_body", False):
                self._is_read.set()
                return
            message = await self._receive()
        raise _CallerGone("the caller went away in the middle of its request")

    async def after(self) -> Message:
        """Receive what comes after the body."""
        await self._is_read.wait()
        return await self._receive()
