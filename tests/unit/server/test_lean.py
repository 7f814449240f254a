"""The inner protocol against hostile and odd peers, on both event loops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

import chainctl as chains
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.server.lean import LeanConnection
from tests.unit.worker.fabric import LOOPS, TOKEN, Net, answer_from, net_of, request, reset, run, until

both_loops = pytest.mark.parametrize("loop", LOOPS)
CALLS: list[str] = []


class Echo(chains.ChainletBase):
    """Answers with its argument, and remembers that it was called."""

    async def run_remote(self, text: str) -> str:
        CALLS.append(text)
        return text


class Large(chains.ChainletBase):
    """Answers with many bytes."""

    async def run_remote(self, size: int) -> str:
        return "x" * size


class Sums(chains.ChainletBase):
    """Adds what comes in a stream, up to a limit."""

    async def run_remote(self, most: int, items: AsyncIterator[bytes]) -> int:
        total = 0
        async for item in items:
            total += len(item)
            if total >= most:
                break
        return total


class Waits(chains.ChainletBase):
    """Waits until nobody wants its answer."""

    began = asyncio.Event()
    ended = asyncio.Event()

    async def run_remote(self) -> int:
        Waits.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            Waits.ended.set()
        return 1


class Talks(chains.ChainletBase):
    """Says back what it hears."""

    async def run_remote(self, websocket: WebSocketProtocol) -> None:
        async for text in websocket.iter_text():
            await websocket.send_text(text)


def call_of(text: str) -> bytes:
    return request(json.dumps({"text": text}).encode())


async def exchanged(net: Net, data: bytes, cls: Any = Echo) -> bytes:
    """Send bytes on a connection of their own, and read all that comes back."""
    reader, writer = await net.connect(cls)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def _inner_connections(net: Net, cls: Any) -> list[Any]:
    """The connections of a service that have said that they are the chain's own."""
    connections: Any = net.states[cls.__name__].connections
    await until(lambda: any(isinstance(c, LeanConnection) for c in connections))
    return list(connections)


@pytest.fixture(autouse=True)
def _no_calls_yet() -> None:
    CALLS.clear()
    Waits.began, Waits.ended = asyncio.Event(), asyncio.Event()


@both_loops
def test_requests_back_to_back(loop: str) -> None:
    """A client that asks again in the very step in which an answer arrives is answered each time."""

    class Eager(asyncio.Protocol):
        def __init__(self) -> None:
            self.answers = 0
            self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            transport.write(call_of("0"))

        def data_received(self, data: bytes) -> None:
            assert data.endswith(b'"%d"' % self.answers)
            self.answers += 1
            if self.answers == 200:
                self.over.set_result(None)
            else:
                self.transport.write(call_of(str(self.answers)))

        def connection_lost(self, exc: Exception | None) -> None:
            if not self.over.done():
                self.over.set_exception(ConnectionError(f"after {self.answers}"))

    async def work() -> None:
        async with net_of(Echo) as net:
            transport, eager = await asyncio.get_running_loop().create_connection(
                Eager, "127.0.0.1", net.port(Echo)
            )
            await eager.over
            transport.close()

    run(work(), loop)


@both_loops
@pytest.mark.parametrize(
    "second", [call_of("second"), request(token="wrong"), b"GET /healthz HTTP/1.1\r\n\r\n"]
)
@pytest.mark.parametrize("media", ["application/json", "application/vnd.chainctl.stream"])
def test_pipelined_request(loop: str, second: bytes, media: str) -> None:
    """Two requests at once are never mixed up: the connection ends, at most the first is answered."""

    async def work() -> None:
        async with net_of(Echo) as net:
            first = request(b'{"text": "first"}', f"content-type: {media}")
            answered = await exchanged(net, first + second)
            assert answered.count(b"HTTP/1.1 ") <= 1
            assert (b"200 OK" in answered) == (b'"first"' in answered)
            assert "second" not in CALLS

    run(work(), loop)


@both_loops
def test_request_beside_one_that_is_worked_on(loop: str) -> None:
    """A request that comes before the last one was answered is not taken; the first goes on until its caller leaves."""

    async def work() -> None:
        async with net_of(Waits) as net:
            reader, writer = await net.connect(Waits)
            writer.write(request(b"{}"))
            await Waits.began.wait()
            writer.write(request(b"{}"))
            writer.close()
            await Waits.ended.wait()
            assert await reader.read() == b""

    run(work(), loop)


@both_loops
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(b'{"text": "a"}', token="wrong"), 401),
        (request(b"x" * 500_000, token="wrong"), 401),
        (request(b"", "transfer-encoding: chunked", token="wrong") + b"4000\r\n%b\r\n" % (b"x" * 0x4000) * 9, 401),
        (request(b"x" * 20_000, token="wrong"), 401),
        (request(b"", "content-length: 2000000"), 413),
        (request(b"", "content-length: 99999999999999999999999999999"), 400),
        (request(b"", "transfer-encoding: chunked") + b"8000\r\n%b\r\n" % (b" " * 0x8000) * 40 + b"0\r\n\r\n", 413),
        (request(b"", "content-length: nine"), 400),
        (request(b"", "content-length: -1"), 400),
        (request(b"{}", "content-length: 2", "transfer-encoding: chunked"), 400),
        (request(b"", "x-long: " + "x" * 70_000), 431),
        (request(b"", *(f"x-{i}: {'x' * 700}" for i in range(100))), 431),
        (b"POST /-/" + b"x" * 70_000, 431),
        (b"POST /-/run_remote HTTP/1.1\r\nbad\x00header: 1\r\n\r\n", 400),
        (b"POST /-/run_remote HTTP/7\r\n\r\n", 400),
        (b"POST /-/\x00\xff\xfe\r\n\r\n", 400),
        (request(b"{", ), 400),
        (request(b"{}"), 422),
        (request(b"{}", "content-type: text/plain"), 415),
        (request(b"", path="/-/nowhere"), 404),
        (b"GET /healthz HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"GET /healthz HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + b"8000\r\n%b\r\n" % (b" " * 0x8000) * 3, 413),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_what_is_refused(loop: str, data: bytes, status: int) -> None:
    """Each wrong request is answered once with its status, before the whole of it came, and nothing is run."""

    async def work() -> None:
        async with net_of(Echo, body_limit=1_000_000) as net:
            reader, writer = await net.connect(Echo)
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            assert int(head.split()[1]) == status
            writer.close()
            assert CALLS == []
        whole = await _answers_to(data)
        assert whole.count(b"HTTP/1.1 ") == 1

    async def _answers_to(data: bytes) -> bytes:
        async with net_of(Echo, body_limit=1_000_000) as net:
            reader, writer = await net.connect(Echo)
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0]) if b"ength" in head else 0
            body = await reader.readexactly(length)
            writer.write_eof()
            rest = await _rest(reader)
            writer.close()
            return head + body + rest

    async def _rest(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    run(work(), loop)


@both_loops
@pytest.mark.parametrize(
    "data",
    [
        b"P", b"POST /-/", request(b"{}")[:40], request(b'{"text": "a"}')[:-5],
        request(b"", "content-length: 100000") + b'{"text": "', request(b"", "transfer-encoding: chunked") + b"5\r\n{",
        request(b"", "transfer-encoding: chunked") + b"d\r\n{\"text\": \"a\"}\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ends", ["close", "reset"])
def test_half_a_request(loop: str, data: bytes, ends: str) -> None:
    """Who goes away in the middle of a request leaves nothing behind, and no code of the user ran."""

    async def work() -> None:
        async with net_of(Echo) as net:
            _, writer = await net.connect(Echo)
            writer.write(data)
            await until(lambda: net.connections(Echo) == 1)
            writer.close() if ends == "close" else reset(writer)
            await until(lambda: net.connections(Echo) == 0)
            assert CALLS == []

    run(work(), loop)


@both_loops
def test_slow_head(loop: str) -> None:
    """A head that comes byte by byte is a request; one that never ends is given up by the sweep."""

    async def work() -> None:
        async with net_of(Echo) as net:
            reader, writer = await net.connect(Echo)
            for byte in call_of("slow"):
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            assert (await answer_from(reader))[2] == b'"slow"'
            writer.write(b"POST /-/run_re")
            connections: Any = net.states["Echo"].connections
            (connection,) = connections
            await until(lambda: connection._url == b"/-/run_re" or connection._head_bytes > 0)
            connection.close_if_stale(connection._since + 70)
            assert net.connections(Echo) == 1
            connection.close_if_stale(connection._since + 80)
            await until(lambda: net.connections(Echo) == 0)
            writer.close()

    run(work(), loop)


@both_loops
def test_connection_close_and_head(loop: str) -> None:
    """`connection: close` closes after the answer; a HEAD has no body; HTTP/1.0 is answered."""

    async def work() -> None:
        async with net_of(Echo) as net:
            whole = await exchanged(net, request(b'{"text": "a"}', "connection: close"))
            assert whole.endswith(b'"a"')
            assert b"connection: close" in whole
            assert (await exchanged(net, b"GET /healthz HTTP/1.0\r\n\r\n")).endswith(b'{"status": "ok"}')
            reader, writer = await net.connect(Echo)
            writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
            await answer_from(reader)
            writer.write(b"HEAD /readyz HTTP/1.1\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"\r\n\r\n")
            writer.close()

    run(work(), loop)


@both_loops
@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_upgrade_is_not_taken(loop: str, upgrade: str) -> None:
    """The inner protocol speaks HTTP/1.1 only."""

    async def work() -> None:
        async with net_of(Echo) as net:
            data = request(b'{"text": "a"}', "connection: upgrade", f"upgrade: {upgrade}")
            assert b"200" not in await exchanged(net, data)
            assert b" 101 " not in await exchanged(net, data)

    run(work(), loop)


@both_loops
def test_large_bodies_both_ways(loop: str) -> None:
    """16 MB go in and out, more than once over one connection."""

    async def work() -> None:
        text = "0123456789abcdef" * (1 << 20)
        async with net_of(Echo) as net:
            stub = net.stub(Echo)
            for _ in range(2):
                assert await stub.run_remote(text) == text
            assert net.connections(Echo) == 1

    run(work(), loop)


@both_loops
def test_caller_that_never_reads(loop: str) -> None:
    """A caller that does not read its answer is waited for alone; others are served meanwhile."""

    async def work() -> None:
        async with net_of(Large) as net:
            reader, writer = await net.connect(Large)
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads has it
            writer.write(request(b'{"size": 16000000}'))
            await until(lambda: len(net.states["Large"].tasks) == 1)
            stub = net.stub(Large)
            for size in range(50):
                assert len(await stub.run_remote(size)) == size
            assert len(net.states["Large"].tasks) == 1
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await answer_from(reader))[2]) == 16_000_002
            writer.close()

    run(work(), loop)


@both_loops
def test_stream_that_nobody_reads_holds_its_sender_back(loop: str) -> None:
    """What comes in a stream is not kept without bound while user code does not ask for it."""
    go = asyncio.Event()

    class Slow(chains.ChainletBase):
        async def run_remote(self, items: AsyncIterator[bytes]) -> int:
            await go.wait()
            return sum([len(item) async for item in items])

    async def work() -> None:
        sent = 0

        async def items() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(640):
                yield bytes(1 << 16)
                sent += 1

        async with net_of(Slow) as net:
            call = asyncio.ensure_future(net.stub(Slow).run_remote(items()))
            (connection,) = await _inner_connections(net, Slow)
            await until(lambda: connection._upload is not None and connection._upload._is_paused)
            assert connection._upload._queued < 2 << 20
            assert sent < 640
            go.set()
            assert await call == 640 << 16

    run(work(), loop)


@both_loops
def test_answer_before_the_end_of_a_stream(loop: str) -> None:
    """An answer that comes before its request ends reaches a caller that is still sending."""

    async def work() -> None:
        async def items() -> AsyncIterator[bytes]:
            for _ in range(500):
                yield bytes(1 << 16)

        async with net_of(Sums) as net:
            stub = net.stub(Sums)
            for most in (1, 100_000, 1_000_000):
                assert await stub.run_remote(most, items()) >= most

    run(work(), loop)


@both_loops
def test_health_and_token(loop: str) -> None:
    """Health routes are open to all; the others want the token, whichever protocol serves them."""

    async def work() -> None:
        async with net_of(Echo) as net:
            for path, status in (("/healthz", 200), ("/readyz", 200), ("/-/spans", 401), ("/schema", 401)):
                reader, writer = await net.connect(Echo)
                writer.write(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
                assert (await answer_from(reader))[0] == status
                writer.close()

    run(work(), loop)


@both_loops
def test_outsiders_get_uvicorn_on_the_same_port(loop: str) -> None:
    """A plain HTTP client and a websocket are served where the chain's own calls are."""

    async def work() -> None:
        async with net_of(Echo, Talks) as net:
            reader, writer = await net.connect(Echo)
            writer.write(request(b'{"text": "a"}', path="/run_remote"))
            assert (await answer_from(reader))[::2] == (200, b'"a"')
            writer.close()
            url = net.urls["Talks"].replace("http", "ws") + "/websocket"
            async with websockets.connect(url, additional_headers={"x-chainctl-token": TOKEN}) as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"

    run(work(), loop)


@both_loops
def test_caller_that_hangs_up(loop: str) -> None:
    """The work of a caller that went away is cancelled, whichever protocol served it."""

    async def work() -> None:
        async with net_of(Waits) as net:
            for path in ("/-/run_remote", "/run_remote"):
                for end in ("close", "reset"):
                    Waits.began, Waits.ended = asyncio.Event(), asyncio.Event()
                    _, writer = await net.connect(Waits)
                    writer.write(request(b"{}", "content-type: application/json", path=path))
                    await Waits.began.wait()
                    writer.close() if end == "close" else reset(writer)
                    await Waits.ended.wait()
            assert net.workers["Waits"].gate.in_flight == 0

    run(work(), loop)
