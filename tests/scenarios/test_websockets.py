"""Websockets through the front doors: talk, close codes, callers who leave, keys, pings, and a flip under them."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import Chainctl, await_condition
from tests.scenarios.pushed_chain import TARGETS, Push, PushedChain, pushing

CHAIN = """
import asyncio
import json
import time

import chainctl as chains


def small(**options):
    return chains.RemoteConfig(
        compute=chains.Compute(cpu_count=1, memory="256Mi"), options=chains.ChainletOptions(**options)
    )


class Shout(chains.ChainletBase):
    remote_config = small()

    async def run_remote(self, text: str) -> str:
        return text.upper()


class Count(chains.ChainletBase):
    remote_config = small()

    def run_remote(self, text: str) -> int:
        if "slowly" in text:
            time.sleep(4)
        return len(text)


@chains.mark_entrypoint("talk")
class Talk(chains.ChainletBase):
    remote_config = small(
        transport=chains.WebsocketOptions(ping_interval_seconds=0.3, ping_timeout_seconds=0.5)
    )

    def __init__(self, shout: Shout = chains.depends(Shout), count: Count = chains.depends(Count)) -> None:
        self._shout = shout
        self._count = count

    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        print("talk begins")
        try:
            await self._talk(websocket)
        except chains.WebSocketDisconnect as gone:
            print("talk lost its caller:", gone.code)
            raise

    async def _talk(self, websocket: chains.WebSocketProtocol) -> None:
        while True:
            text = await websocket.receive_text()
            if text == "bye":
                return
            if text == "close":
                await websocket.close(4001, "as you wish")
                return
            if text == "fail":
                raise ValueError("as you wish")
            if text == "headers":
                await websocket.send_text(json.dumps(dict(websocket.headers)))
            elif text.startswith("count "):
                await websocket.send_json({"count": self._count.run_remote(text)})
            elif text == "bytes":
                await websocket.send_bytes(bytes(range(256)) * 4096)
            else:
                await websocket.send_text(VERSION + await self._shout.run_remote(text))


VERSION = "1 "
"""


@pytest.fixture(scope="module", params=TARGETS)
def push(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Push]:
    """Something that pushes to each target."""
    with pushing(tmp_path_factory.mktemp("talk"), request.param) as push:
        yield push


@pytest.fixture(scope="module")
def talk(push: Push) -> PushedChain:
    """The chain on each target."""
    return push(CHAIN, "t-talk")


def said(websocket: ClientConnection, text: str) -> str | bytes:
    websocket.send(text)
    return websocket.recv(timeout=20)


def closed(websocket: ClientConnection) -> tuple[int, str]:
    """Return code and reason with which the other side closes."""
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(timeout=20)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_dependencies_are_called_from_inside(talk: PushedChain) -> None:
    """Async and sync chainlets alike; text, JSON, and a megabyte of bytes come across."""
    with connect(talk.websocket_url) as websocket:
        assert said(websocket, "hello") == "1 HELLO"
        assert said(websocket, "count me") == '{"count":8}'
        assert said(websocket, "bytes") == bytes(range(256)) * 4096


def test_a_sync_call_inside_holds_nobody_else_up(talk: PushedChain) -> None:
    """While one conversation waits for a sync chainlet, another one goes on."""
    with connect(talk.websocket_url) as slow, connect(talk.websocket_url) as quick:
        slow.send("count slowly")
        assert said(quick, "hello") == "1 HELLO"
        with pytest.raises(TimeoutError):
            slow.recv(timeout=0)
        assert slow.recv(timeout=20) == '{"count":12}'


def test_close_codes(talk: PushedChain) -> None:
    """1000 for an endpoint that returns, 1011 for one that raises, or the code that it chose."""
    for word, code, reason in (("bye", 1000, ""), ("fail", 1011, ""), ("close", 4001, "as you wish")):
        with connect(talk.websocket_url) as websocket:
            websocket.send(word)
            assert closed(websocket) == (code, reason)
    talk.await_message("talk begins", 3)
    assert any("ValueError: as you wish" in message for message in talk.messages())


def test_a_caller_who_closes_is_missed(talk: PushedChain) -> None:
    """The endpoint gets the code that the caller closed with, or 1006 from one who just left."""
    with connect(talk.websocket_url) as websocket:
        websocket.close(4002, "enough")
    talk.await_message("talk lost its caller: 4002")
    with connect(talk.websocket_url) as websocket:
        assert said(websocket, "hello") == "1 HELLO"
        websocket.socket.shutdown(socket.SHUT_RDWR)
    talk.await_message("talk lost its caller: 1006")


def test_headers_reach_the_endpoint_without_what_only_the_door_says(talk: PushedChain) -> None:
    """Ids of a request pass; a forged internal token does not."""
    sent = {
        "x-request-id": "abc",
        "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
        "x-chainctl-token": "forged",
    }
    with connect(talk.websocket_url, additional_headers=sent) as websocket:
        shown = str(said(websocket, "headers"))
    assert '"x-request-id": "abc"' in shown
    assert "1" * 32 in shown
    assert "forged" not in shown


def test_a_caller_who_answers_no_ping_is_given_up(talk: PushedChain) -> None:
    """`ping_interval_seconds` and `ping_timeout_seconds` reach the server."""
    with connect(talk.websocket_url) as websocket:
        pings = threading.Event()
        assert said(websocket, "hello") == "1 HELLO"
        pings.wait(1.5)  # answered in the background: the connection stays
        assert said(websocket, "hello") == "1 HELLO"
    with talk.begun_websocket() as silent:
        while data := silent.recv(65536):
            assert data


def test_an_open_websocket_outlives_a_flip(push: Push) -> None:
    """New callers get the new release; the old one keeps its caller until the caller is done."""
    chain = push(CHAIN, "t-talk-flip")
    with connect(chain.websocket_url) as older:
        assert said(older, "hello") == "1 HELLO"
        chain.file.write_text(CHAIN.replace('VERSION = "1 "', 'VERSION = "2 "'), encoding="utf-8")
        with pushed_aside(chain) as process:
            await_condition(lambda: version_at(chain) == "2", seconds=60)
            assert process.poll() is None
            assert said(older, "still there") == "1 STILL THERE"
            older.send("bye")
            assert closed(older) == (1000, "")
            assert process.wait(timeout=60) == 0


def test_an_open_websocket_ends_at_the_drain_limit(push: Push) -> None:
    """A caller who never leaves is told that the service restarts, when the time is over."""
    chain = push(CHAIN, "t-talk-drain")
    (chain.file.parent / "chainctl.toml").write_text("drain_sec = 2\n", encoding="utf-8")
    with connect(chain.websocket_url) as older:
        assert said(older, "hello") == "1 HELLO"
        chain.file.write_text(CHAIN.replace('VERSION = "1 "', 'VERSION = "3 "'), encoding="utf-8")
        chain.push()
        assert closed(older)[0] == 1012


def version_at(chain: PushedChain) -> str:
    with connect(chain.websocket_url) as websocket:
        return str(said(websocket, "x"))[0]


def pushed_aside(chain: PushedChain) -> subprocess.Popen[bytes]:
    """Push a chain's file anew beside this test."""
    command = [*Chainctl.COMMAND, "push", str(chain.file), "--name", chain.name, "--target", chain.target]
    return subprocess.Popen(
        command,
        env=dict(chain.chainctl.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_key_is_asked_for(target: str, tmp_path: Path) -> None:
    """Without it the handshake is refused with 401, with it the connection is open."""
    with pushing(tmp_path, target) as push:
        secrets, settings = tmp_path / "secrets.env", tmp_path / "chainctl.toml"
        secrets.write_text("door_key=open-sesame\n", encoding="utf-8")
        settings.write_text('api_key_secret = "door_key"\n', encoding="utf-8")
        chain = push(CHAIN, "t-talk-key", "--secrets", str(secrets))
        with pytest.raises(InvalidStatus) as refused, connect(chain.websocket_url):
            pass
        assert refused.value.response.status_code == 401
        with connect(
            chain.websocket_url, additional_headers={"authorization": "Bearer open-sesame"}
        ) as websocket:
            assert said(websocket, "hello") == "1 HELLO"
