"""Handshakes that are refused, as ASGI messages: with a reason where the server can send one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import chainctl as chains
from chainctl.sdk.declaration import declaration_of
from chainctl.server.app import ChainletApp, Message
from chainctl.server.service import ChainletService
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Worker

TOKEN = (b"x-chainctl-token", b"internal")


class Called(chains.ChainletBase):
    async def run_remote(self) -> str:
        return ""


def refused(
    headers: list[tuple[bytes, bytes]], extensions: dict[str, Any], worker: Worker | None = None
) -> list[Message]:
    """Return what a chainlet answers to a handshake; without a worker it has not booted."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/run_remote", "headers": headers, "extensions": extensions}
    service = ChainletService("Talk", "internal")
    service.worker = worker
    asyncio.run(ChainletApp(service)(scope, receive, send))
    return sent


def test_a_stranger_gets_401_and_why() -> None:
    """As for a request over HTTP."""
    start, body = refused([], {"websocket.http.response": {}})
    assert start["status"] == 401
    assert json.loads(body["body"])["error"]["kind"] == "unauthorized"


def test_a_chainlet_that_starts_says_when_to_come_again() -> None:
    """With 503, and that no work was begun."""
    start, body = refused([TOKEN], {"websocket.http.response": {}})
    headers = dict(start["headers"])
    assert (start["status"], headers[b"retry-after"], headers[b"x-chainctl-not-started"]) == (503, b"1", b"1")
    assert json.loads(body["body"])["error"]["kind"] == "not_ready"


def test_where_the_server_can_send_no_body_the_handshake_just_fails() -> None:
    """Which an ASGI server answers with 403."""
    assert refused([], {}) == [{"type": "websocket.close"}]


def test_a_chainlet_that_is_called_by_post_accepts_no_conversation() -> None:
    """It is refused before it begins, not closed as if the chainlet had failed."""
    worker = InProcessWorker(declaration_of(Called), Called.__new__(Called))
    start, body = refused([TOKEN], {"websocket.http.response": {}}, worker)
    assert start["status"] == 400
    assert (
        json.loads(body["body"])["error"]["message"] == "Talk is called by POST /run_remote, not by WebSocket"
    )
