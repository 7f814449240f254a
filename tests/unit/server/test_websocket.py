"""Websockets from the ASGI messages up to real frames on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import chainctl as chains
from chainctl.server.websocket import Message, serve_websocket
from tests.unit.worker.loopback import run

Run = Callable[[chains.WebSocketProtocol], Awaitable[None]]


class Point(pydantic.BaseModel):
    x: int


class Peer:
    """The server's side of ASGI: gives messages, keeps what is sent, and may say that nobody is there."""

    def __init__(self, *messages: Message, is_gone: bool = False) -> None:
        self._messages = [
            {"type": "websocket.connect"},
            *messages,
            {"type": "websocket.disconnect", "code": 1001},
        ]
        self._is_gone = is_gone
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        return self._messages.pop(0)

    async def send(self, message: Message) -> None:
        if self._is_gone and message["type"] == "websocket.send":
            raise OSError("nobody is there")
        self.sent.append(message)

    def serve(self, endpoint: Run) -> list[Message]:
        scope = {
            "type": "websocket",
            "headers": [(b"X-A", b"1"), (b"x-a", b"2"), (b"host", b"h\xe9"), (b"X-Chainctl-Token", b"t")],
        }
        run(serve_websocket(scope, self.receive, self.send, endpoint))
        assert self.sent.pop(0) == {"type": "websocket.accept"}
        return self.sent


def text(data: str) -> Message:
    return {"type": "websocket.receive", "text": data}


def binary(data: bytes) -> Message:
    return {"type": "websocket.receive", "bytes": data, "text": None}


CLOSED = {"type": "websocket.close", "code": 1000, "reason": ""}
FAILED = {"type": "websocket.close", "code": 1011, "reason": ""}


def test_every_kind_of_message() -> None:
    """Text, bytes and JSON are received and sent, an empty text is a text, headers are readable."""
    seen: list[Any] = []

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        seen.append(dict(websocket.headers))
        seen.append(await websocket.receive())
        seen.append(await websocket.receive())
        seen.append(await websocket.receive_text())
        seen.append(await websocket.receive_bytes())
        seen.append(await websocket.receive_json())
        seen.append(await websocket.receive_json())
        await websocket.send_text("")
        await websocket.send_bytes(memoryview(b"b").tobytes())
        await websocket.send_json({"points": [Point(x=1)], "none": None})

    peer = Peer(text(""), binary(b""), text("é"), binary(b"\xff"), text('{"a": 1}'), binary(b"[2]"))
    sent = peer.serve(endpoint)
    assert seen == [{"x-a": "1, 2", "host": "hé"}, "", b"", "é", b"\xff", {"a": 1}, [2]]
    assert sent == [
        {"type": "websocket.send", "text": ""},
        {"type": "websocket.send", "bytes": b"b"},
        {"type": "websocket.send", "text": '{"points":[{"x":1}],"none":null}'},
        CLOSED,
    ]


def test_iterators_end_when_the_other_side_closes() -> None:
    """Each iterator can be awaited or not, and ends with the connection; nothing is closed twice."""
    seen: list[Any] = []

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        async for number in websocket.iter_json():
            seen.append(number)
            if number == 2:
                break
        async for message in await websocket.iter_text():
            seen.append(message)
        assert not websocket.is_connected()
        seen.extend([data async for data in websocket.iter_bytes()])

    assert Peer(text("1"), text("2"), text("c")).serve(endpoint) == []
    assert seen == [1, 2, "c"]


def test_disconnect_in_receive_and_in_send() -> None:
    """Who receives or sends learns that the other side is gone, and every time after that."""

    async def receives(websocket: chains.WebSocketProtocol) -> None:
        assert websocket.is_connected()
        with pytest.raises(chains.WebSocketDisconnect) as caught:
            await websocket.receive_text()
        assert (caught.value.code, caught.value.reason) == (1001, "")
        with pytest.raises(chains.WebSocketDisconnect, match="1001"):
            await websocket.send_text("a")

    async def sends(websocket: chains.WebSocketProtocol) -> None:
        with pytest.raises(chains.WebSocketDisconnect, match="1006"):
            await websocket.send_bytes(b"a")
        await websocket.receive()

    assert Peer().serve(receives) == []
    assert Peer(is_gone=True).serve(sends) == []


def test_disconnect_is_not_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves is no failure of the chainlet."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        await websocket.receive()

    with caplog.at_level(logging.INFO, "chainctl.server"):
        Peer().serve(endpoint)
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("INFO", "the websocket was closed with code 1001")
    ]


def test_failure_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    """An exception is logged with the user's frames, and the other side is told by the code."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        await websocket.receive_bytes()

    assert Peer(text("a")).serve(endpoint) == [FAILED]
    assert "ValueError: the other side sent text" in caplog.text
    assert "in endpoint" in caplog.text
    assert "server/websocket.py" not in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyError("a"), chains.WebSocketDisconnect(1000)])
def test_any_exception_closes_with_1011(error: BaseException) -> None:
    """Also one that would end a process, and a disconnect that was not one."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        raise error

    assert Peer().serve(endpoint) == [FAILED]


def test_bytes_where_text_was_expected() -> None:
    """A message of the other kind is refused, not guessed at."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        with pytest.raises(ValueError, match="sent bytes where text"):
            await websocket.receive_text()

    assert Peer(binary(b"a")).serve(endpoint) == [CLOSED]


def test_own_close() -> None:
    """A code and a reason can be given, once; a long reason is cut between characters."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        await websocket.close(4000, "é" * 100)
        await websocket.close(1000)
        assert not websocket.is_connected()
        with pytest.raises(chains.WebSocketDisconnect, match="4000"):
            await websocket.receive()

    assert Peer().serve(endpoint) == [{"type": "websocket.close", "code": 4000, "reason": "é" * 61}]


def test_client_that_leaves_during_the_handshake() -> None:
    """Then there is nothing to run."""
    peer = Peer()

    async def receive() -> Message:
        return {"type": "websocket.disconnect", "code": 1006}

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        raise AssertionError("it is not run")

    run(serve_websocket({"headers": []}, receive, peer.send, endpoint))
    assert peer.sent == []


def test_cancelled_endpoint_says_that_the_server_goes() -> None:
    """A server that stops closes with 1012 and stays cancelled."""
    peer = Peer()

    async def work() -> None:
        began = asyncio.Event()

        async def endpoint(websocket: chains.WebSocketProtocol) -> None:
            began.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(serve_websocket({"headers": []}, peer.receive, peer.send, endpoint))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
    assert peer.sent[-1] == {"type": "websocket.close", "code": 1012, "reason": ""}


def served(endpoint: Run, client: Callable[[ClientConnection], Awaitable[None]]) -> None:
    """Serve an endpoint with uvicorn on a free port, and run a real client against it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await serve_websocket(scope, receive, send, endpoint)

    async def work() -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, ws="websockets-sansio", lifespan="off", log_config=None,
            ws_max_size=1000,
        )  # fmt: skip
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", proxy=None) as connection:
            await client(connection)
        await server.shutdown()

    run(work())


def test_real_frames() -> None:
    """Text, bytes and the close code cross a real connection."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        for _ in range(3):
            message = await websocket.receive()
            if isinstance(message, str):
                await websocket.send_text(message.upper())
            else:
                await websocket.send_bytes(message * 2)

    async def client(connection: ClientConnection) -> None:
        for message, answer in (("a", "A"), (b"b", b"bb"), ("", "")):
            await connection.send(message)
            assert await connection.recv() == answer
        await connection.wait_closed()
        assert connection.close_code == 1000

    served(endpoint, client)


def test_real_client_that_leaves() -> None:
    """A client that goes away ends the iteration, with its own code."""
    codes: list[int] = []

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        await websocket.send_text("hello")
        try:
            await websocket.receive()
        except chains.WebSocketDisconnect as gone:
            codes.append(gone.code)

    async def client(connection: ClientConnection) -> None:
        assert await connection.recv() == "hello"
        await connection.close(4001, "enough")

    served(endpoint, client)
    assert codes == [4001]


def test_messages_are_bounded() -> None:
    """A message over the server's limit ends the connection with 1009."""

    async def endpoint(websocket: chains.WebSocketProtocol) -> None:
        async for _ in websocket.iter_text():
            pass

    async def client(connection: ClientConnection) -> None:
        await connection.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1009

    served(endpoint, client)
