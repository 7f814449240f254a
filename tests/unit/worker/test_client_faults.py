"""What can go wrong with an answer, for calls in JSON, in frames and as streams: always the right exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

import chainctl as chains
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.http_client import HttpClient
from chainctl.calls.remote import remote_chainlet
from chainctl.calls.remote_error import RemoteFault
from chainctl.calls.transport import Transport
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.wire.fault import user_error_body
from chainctl.wire.frame import joined
from chainctl.wire.signature import ResultCodec
from chainctl.wire.stream_frame import Kind, whole_frame
from tests.unit.worker.fabric import LOOPS, run, until
from tests.unit.worker.loopback import Step, answer, chunk, chunked, loopback, refusing_port

FRAME = "content-type: application/vnd.chainctl.frame"
STREAM = "content-type: application/vnd.chainctl.stream"


class Text(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        return text


class Binary(chains.ChainletBase):
    async def run_remote(self, text: str) -> bytes:
        return text.encode()


class Items(chains.ChainletBase):
    async def run_remote(self, text: str) -> AsyncIterator[str]:
        yield text


class Uploads(chains.ChainletBase):
    async def run_remote(self, items: AsyncIterator[bytes]) -> str:
        return "".join([item.decode() async for item in items])


BYTES = joined(ResultCodec(bytes).encode_frame(b"x" * 100))
LARGE = joined(ResultCodec(bytes).encode_frame(b"x" * 1_000_000))
FRAMES = whole_frame(Kind.TEXT, b"one") + whole_frame(Kind.TEXT, b"two")
END = whole_frame(Kind.END)
STREAM_HEAD = f"HTTP/1.1 200 OK\r\n{STREAM}\r\ntransfer-encoding: chunked\r\n\r\n".encode()

GOOD = {
    "json": answer(b'"x"'),
    "frame": answer(BYTES, 200, FRAME),
    "large": answer(LARGE, 200, FRAME),
    "stream": STREAM_HEAD + chunk(FRAMES + END) + chunk(b""),
    "upload": answer(b'"x"'),
}


async def json_call(stub: Callable[[Any], Any]) -> Any:
    return await stub(Text).run_remote("a")


async def frame_call(stub: Callable[[Any], Any]) -> Any:
    return len(await stub(Binary).run_remote("a"))


async def stream_call(stub: Callable[[Any], Any]) -> Any:
    return [item async for item in stub(Items).run_remote("a")]


async def upload_call(stub: Callable[[Any], Any]) -> Any:
    async def items() -> AsyncIterator[bytes]:
        yield b"x"

    return await stub(Uploads).run_remote(items())


CALLS: dict[str, Callable[[Callable[[Any], Any]], Coroutine[Any, Any, Any]]] = {
    "json": json_call,
    "frame": frame_call,
    "large": frame_call,
    "stream": stream_call,
    "upload": upload_call,
}
RESULTS = {"json": "x", "frame": 100, "large": 1_000_000, "stream": ["one", "two"], "upload": "x"}


async def called(kind: str, url: str, **options: Any) -> Any:
    transports: list[Transport] = []

    def stub(cls: Any) -> Any:
        service = DeployedServiceDescriptor(
            name="Dep", display_name="dep", internal_url=url, options=chains.RPCOptions(**options)
        )
        transports.append(Transport(service, {}, ClientLoop()))
        return remote_chainlet(cls, transports[-1])

    try:
        return await CALLS[kind](stub)
    finally:
        for transport in transports:
            for client in transport._clients.values():
                client.http.close()
                assert not client.permits.locked()
        await asyncio.sleep(0)


kinds = pytest.mark.parametrize("kind", CALLS)
loops = pytest.mark.parametrize("loop", LOOPS)


def cut(kind: str, share: float) -> bytes:
    """The beginning of a good answer: within its head, or within its body."""
    whole = GOOD[kind]
    head = whole.index(b"\r\n\r\n") + 4
    return whole[: int(head * share)] if share < 1 else whole[: head + int((len(whole) - head) * (share - 1))]


@kinds
@loops
def test_good_answers(kind: str, loop: str) -> None:
    """What comes whole, however it is cut, is the result."""

    async def work() -> None:
        go = asyncio.Event()
        go.set()
        for share in (0.5, 1, 1.3, 1.9):
            first = cut(kind, share)
            async with serving(Step(first, wait_for=go, more=GOOD[kind][len(first) :])) as url:
                assert await called(kind, url) == RESULTS[kind]

    run(work(), loop)


def serving(*steps: Step | bytes) -> Any:
    """A server that also takes requests in chunks."""
    return _Serving(steps)


class _Serving:
    def __init__(self, steps: tuple[Step | bytes, ...]) -> None:
        self._served = loopback(*steps)

    async def __aenter__(self) -> str:
        self.served = await self._served.__aenter__()
        return self.served.url

    async def __aexit__(self, *raised: Any) -> None:
        await self._served.__aexit__(*raised)


@kinds
@loops
def test_nobody_listens(kind: str, loop: str) -> None:
    """A service that cannot be connected to cannot be reached."""
    with refusing_port() as port, pytest.raises(RemoteFault, match="`dep` cannot be reached") as caught:
        run(called(kind, f"http://127.0.0.1:{port}"), loop)
    assert caught.value.status == 503


@kinds
@loops
@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("share", [0, 0.5, 1, 1.5, 1.99])
def test_answer_that_breaks_off(kind: str, loop: str, end: str, share: float) -> None:
    """An answer that ends early, wherever and however, is a fault of the other side."""

    async def work() -> None:
        async with serving(Step(cut(kind, share), end=end)) as url:
            with pytest.raises(RemoteFault, match="broke off") as caught:
                await called(kind, url, timeout_sec=10)
            assert caught.value.status == 502

    run(work(), loop)


@kinds
@loops
@pytest.mark.parametrize("share", [0, 0.5, 1.5])
def test_answer_that_stalls(kind: str, loop: str, share: float) -> None:
    """An answer that does not go on is a TimeoutError; a stream may pause, so only its head is bounded."""
    share = min(share, 0.9) if kind == "stream" else share

    async def work() -> None:
        async with serving(Step(cut(kind, share), wait_for=asyncio.Event())) as url:
            with pytest.raises(TimeoutError, match=r"`dep` did not answer within 0\.1 s"):
                await called(kind, url, timeout_sec=0.1)

    run(work(), loop)


@kinds
@loops
@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100, b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nxxxx",
        b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    ],
)  # fmt: skip
def test_answer_that_is_none(kind: str, loop: str, data: bytes) -> None:
    """What is no answer in HTTP/1.1 is a fault of the other side, and never a result."""

    async def work() -> None:
        async with serving(Step(data, end="close")) as url:
            with pytest.raises(RemoteFault, match="broke off"):
                await called(kind, url, timeout_sec=10)

    run(work(), loop)


@kinds
@loops
@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff" * 50, b"CHF1" + b"\xff" * 60, END + END, FRAMES, FRAMES[:-1]], ids=range(7)
)
def test_body_that_is_no_result(kind: str, loop: str, body: bytes) -> None:
    """A whole answer whose body is no result of the type is a fault, whatever it claims to be."""

    async def work() -> None:
        for header in (FRAME, STREAM, "content-type: application/json"):
            async with serving(Step(answer(body, 200, header))) as url:
                with pytest.raises((RemoteFault, ValueError)) as caught:
                    await called(kind, url, timeout_sec=10)
                assert isinstance(caught.value, RemoteFault), caught.value

    run(work(), loop)


@kinds
@loops
def test_interim_answers(kind: str, loop: str) -> None:
    """Interim answers before the answer are passed over."""

    async def work() -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        async with serving(early + GOOD[kind]) as url:
            assert await called(kind, url) == RESULTS[kind]

    run(work(), loop)


@kinds
@loops
def test_two_answers_at_once(kind: str, loop: str) -> None:
    """Bytes after an error answer do not make a result of it."""
    failed = answer(user_error_body(LookupError("first")), 500)

    async def work() -> None:
        async with serving(failed + GOOD[kind]) as url:
            with pytest.raises(LookupError, match="first"):
                await called(kind, url)

    run(work(), loop)


@kinds
@loops
def test_tls_to_a_plain_port(kind: str, loop: str) -> None:
    """A TLS handshake with a server that speaks plain HTTP ends in a fault."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            with pytest.raises(RemoteFault, match="cannot be reached"):
                await called(kind, f"https://127.0.0.1:{port}", timeout_sec=10)
        finally:
            server.close()

    run(work(), loop)


@loops
def test_answer_that_is_too_large(loop: str) -> None:
    """An answer that announces more than the limit is refused before it comes."""

    async def work() -> None:
        huge = b"HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n"
        async with serving(Step(huge, wait_for=asyncio.Event())) as url:
            for kind in ("json", "frame"):
                with pytest.raises(RemoteFault, match="larger than the limit"):
                    await called(kind, url, timeout_sec=10)

    run(work(), loop)


@loops
def test_connection_that_was_closed_while_idle(loop: str) -> None:
    """A connection that the other side closed in the meantime is not used."""

    async def work() -> None:
        async with loopback(Step(GOOD["json"], end="close"), GOOD["json"]) as served:
            service = DeployedServiceDescriptor(
                name="Dep", display_name="dep", internal_url=served.url, options=chains.RPCOptions()
            )
            transport = Transport(service, {}, ClientLoop())
            stub = remote_chainlet(Text, transport)
            for _ in range(2):
                assert await stub.run_remote("a") == "x"
                (client,) = transport._clients.values()
                http = client.http
                assert isinstance(http, HttpClient)
                if len(served.requests) == 1:
                    await until(lambda: not http._idle[0][1].is_open)  # noqa: B023  # awaited here
            client.http.close()
            assert served.connections == 2

    run(work(), loop)


def test_stream_in_chunks_of_all_sizes() -> None:
    """Where the network cuts a stream makes no difference."""

    async def work() -> None:
        data = FRAMES + END
        async with loopback(*(chunked(data[:i], data[i:]) for i in range(1, len(data)))) as served:
            for _ in range(1, len(data)):
                assert await called("stream", served.url) == ["one", "two"]

    run(work())
