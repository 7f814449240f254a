"""Handshakes that are refused, as ASGI messages: with a reason where the server can send one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from chainctl.server.app import ChainletApp, Message
from chainctl.server.service import ChainletService

TOKEN = (b"x-chainctl-token", b"internal")


def refused(headers: list[tuple[bytes, bytes]], extensions: dict[str, Any]) -> list[Message]:
    """Return what a chainlet that has not booted answers to a handshake."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/run_remote", "headers": headers, "extensions": extensions}
    asyncio.run(ChainletApp(ChainletService("Talk", "internal"))(scope, receive, send))
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
