"""The HTTP client against a real server on loopback: what it reuses, repeats, reports and gives up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotSentError
from chainctl.calls.http_client import HttpClient, request_head
from tests.unit.worker.loopback import Loopback, Step, answer, chunk, chunked, loopback, refusing_port, run


@contextlib.asynccontextmanager
async def client_of(served: Loopback) -> AsyncIterator[HttpClient]:
    """A client for a server, closed at the end."""
    client = HttpClient(Address.of(served.url))
    try:
        yield client
    finally:
        client.close()


async def ask(client: HttpClient, body: bytes = b"{}") -> Answer:
    return await client.request(head_of(client), (body,))


def head_of(client: HttpClient) -> bytes:
    return request_head(client.address, "POST", "/run_remote", {"content-type": "application/json"})


def test_request_and_answer() -> None:
    """A request carries its path, host, headers and body; the answer its status, headers and body."""

    async def work() -> None:
        async with loopback(answer(b"hi", 200, "X-Kind: test")) as served, client_of(served) as client:
            found = await ask(client, b'{"a": 1}')
            assert (found.status, found.body, found.headers["x-kind"]) == (200, b"hi", "test")
            sent = served.requests[0]
            assert sent.line == "POST /run_remote HTTP/1.1"
            assert sent.headers["host"] == served.url.removeprefix("http://")
            assert (sent.headers["content-length"], sent.body) == ("8", b'{"a": 1}')

    run(work())


def test_connection_is_reused() -> None:
    """Requests one after the other share a connection; at the same time they have one each."""

    async def work() -> None:
        async with loopback(answer(b"x")) as served, client_of(served) as client:
            for _ in range(3):
                await ask(client)
            assert served.connections == 1
            await asyncio.gather(*(ask(client) for _ in range(3)))
            assert served.connections == 3

    run(work())


def test_connection_close_is_honoured() -> None:
    """A server that wants to close after the answer gets a new connection for the next request."""

    async def work() -> None:
        async with loopback(answer(b"x", 200, "connection: close")) as served, client_of(served) as client:
            await ask(client)
            await ask(client)
            assert served.connections == 2

    run(work())


def test_connection_that_was_closed_while_idle_is_not_used() -> None:
    """A server may close an idle connection: the next request takes a new one and arrives once."""

    async def work() -> None:
        async with (
            loopback(Step(answer(b"x"), end="close"), answer(b"y")) as served,
            client_of(served) as client,
        ):
            await ask(client)
            while any(connection.is_open for _, connection in client._idle):
                await asyncio.sleep(0)
            assert (await ask(client)).body == b"y"
            assert len(served.requests) == 2

    run(work())


@pytest.mark.parametrize("end", ["close", "reset"])
def test_stale_connection(end: str) -> None:
    """A used connection that is reset at the very moment of the request was not read: a new one is taken.

    One that ends may have been read, and its request worked on.
    """

    async def work() -> None:
        async with (
            loopback(answer(b"x"), Step(end=end), answer(b"y")) as served,
            client_of(served) as client,
        ):
            await ask(client)
            if end == "reset":
                assert (await ask(client)).body == b"y"
                assert (served.connections, len(served.requests)) == (2, 3)
            else:
                with pytest.raises(BrokenAnswerError, match="before any answer"):
                    await ask(client)
                assert len(served.requests) == 2

    run(work())


@pytest.mark.parametrize("end", ["close", "reset"])
def test_new_connection_that_dies_before_the_answer(end: str) -> None:
    """A server that takes a request on a new connection and dies may have worked on it: no repetition."""

    async def work() -> None:
        async with loopback(Step(end=end)) as served, client_of(served) as client:
            with pytest.raises(BrokenAnswerError, match="before any answer"):
                await ask(client)
            assert len(served.requests) == 1

    run(work())


def test_refused_connection() -> None:
    """Where nobody listens, nothing was sent."""

    async def work(port: int) -> None:
        with pytest.raises(NotSentError, match=f"cannot connect to 127.0.0.1:{port}"):
            await ask(HttpClient(Address("127.0.0.1", port)))

    with refusing_port() as port:
        run(work(port))


def test_absent_socket(tmp_path: Path) -> None:
    """A Unix socket that is not there is nobody listening."""
    client = HttpClient(Address.of(f"unix:{tmp_path}/no.sock"))
    with pytest.raises(NotSentError, match=r"no\.sock"):
        run(ask(client))


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"half"),
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTT",
        b"this is no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a chunk\r\n",
    ],
)
def test_half_an_answer(data: bytes) -> None:
    """An answer that ends early or is no HTTP is broken, wherever it breaks off."""

    async def work() -> None:
        async with loopback(Step(data, end="close")) as served, client_of(served) as client:
            with pytest.raises(BrokenAnswerError):
                await ask(client)
            assert len(served.requests) == 1

    run(work())


def test_body_that_ends_with_the_connection() -> None:
    """Without a length the end of the connection is the end of the body, unless it is reset."""

    async def work() -> None:
        whole = b"HTTP/1.1 200 OK\r\n\r\nall of it"
        async with loopback(Step(whole, end="close")) as served, client_of(served) as client:
            assert (await ask(client)).body == b"all of it"
        arrived = asyncio.Event()
        async with (
            loopback(Step(whole, wait_for=arrived, end="reset")) as served,
            client_of(served) as client,
        ):
            _, chunks = await client.stream(head_of(client), (b"",))
            arrived.set()
            with pytest.raises(BrokenAnswerError):
                assert [part async for part in chunks] == []

    run(work())


def test_chunked_answer() -> None:
    """Chunks are put together, and the connection can be used again."""

    async def work() -> None:
        async with loopback(chunked(b"one", b"two" * 1000, b"three")) as served, client_of(served) as client:
            assert (await ask(client)).body == b"one" + b"two" * 1000 + b"three"
            await ask(client)
            assert served.connections == 1

    run(work())


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_a_body(status: int) -> None:
    """Statuses that have no body need no length."""

    async def work() -> None:
        data = f"HTTP/1.1 {status} Status\r\n\r\n".encode()
        async with loopback(data) as served, client_of(served) as client:
            found = await ask(client)
            assert (found.status, found.headers, found.body) == (status, {}, b"")
            await ask(client)
            assert served.connections == 1

    run(work())


def test_interim_answers_are_skipped() -> None:
    """A 100 before the answer is no answer."""

    async def work() -> None:
        data = b"HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\n" + answer(b"x")
        async with loopback(data) as served, client_of(served) as client:
            found = await ask(client)
            assert (found.status, found.body) == (200, b"x")
            assert "x-early" not in found.headers

    run(work())


def test_big_bodies() -> None:
    """Megabytes go both ways, more than any buffer holds."""

    async def work() -> None:
        body = bytes(range(256)) * 2**15
        async with loopback(answer(body)) as served, client_of(served) as client:
            assert (await ask(client, body)).body == body
            assert served.requests[0].body == body

    run(work())


def test_unix_socket(tmp_path: Path) -> None:
    """Services may listen on a Unix socket."""

    async def work() -> None:
        async with loopback(answer(b"x"), path=tmp_path / "s.sock") as served, client_of(served) as client:
            assert (await ask(client)).body == b"x"
            await ask(client)
            assert served.connections == 1
            assert served.requests[0].headers["host"] == "localhost"

    run(work())


def test_cancelled_request_closes_its_connection() -> None:
    """Who gives up waiting hangs up, so that the other side can stop."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served, client_of(served) as client:
            task = asyncio.ensure_future(ask(client))
            await served.came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await served.gone.wait()
            assert served.open_connections == 0

    run(work())


def test_cancelled_body_closes_its_connection() -> None:
    """The same in the middle of an answer."""

    async def work() -> None:
        step = Step(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", wait_for=asyncio.Event())
        async with loopback(step) as served, client_of(served) as client:
            _, chunks = await client.stream(head_of(client), (b"",))
            assert await anext(chunks) == b"half"
            task = asyncio.ensure_future(anext(chunks))
            await asyncio.wait([task], timeout=0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await served.gone.wait()

    run(work())


def test_stream_comes_as_it_is_sent() -> None:
    """The head and the first chunk are there before the rest was sent."""

    async def work() -> None:
        rest = asyncio.Event()
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"first")
        step = Step(head, wait_for=rest, more=chunk(b"second") + chunk(b""))
        async with loopback(step) as served, client_of(served) as client:
            found, chunks = await client.stream(head_of(client), (b"",))
            assert found.status == 200
            assert await anext(chunks) == b"first"
            rest.set()
            assert [part async for part in chunks] == [b"second"]
            await ask(client)
            assert served.connections == 1

    run(work())


def test_stream_that_is_given_up_closes_its_connection() -> None:
    """Closing the iterator hangs up."""

    async def work() -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"first")
        async with loopback(Step(head, wait_for=asyncio.Event())) as served, client_of(served) as client:
            _, chunks = await client.stream(head_of(client), (b"",))
            await anext(chunks)
            await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
            await served.gone.wait()

    run(work())


def test_more_than_was_announced_is_not_taken_for_an_answer() -> None:
    """Bytes after the answer do not become the next one."""

    async def work() -> None:
        surplus = b"HTTP/1.1 500 Surprise\r\n\r\n"
        async with loopback(answer(b"x") + surplus, answer(b"y")) as served, client_of(served) as client:
            assert (await ask(client)).body == b"x"
            assert (await ask(client)).body == b"y"

    run(work())


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "host_header"),
    [
        ("http://a", "a", 80, "", "a"),
        ("http://a:8000/b/", "a", 8000, "/b/", "a:8000"),
        ("https://a/b?c=d", "a", 443, "/b?c=d", "a"),
        ("https://a:80", "a", 80, "", "a:80"),
        ("http://[::1]:8000", "::1", 8000, "", "[::1]:8000"),
        ("unix:/run/a.sock", "localhost", 0, "", "localhost"),
    ],
)
def test_addresses(url: str, host: str, port: int, path: str, host_header: str) -> None:
    """URLs become host, port and path; the host header says what the other side expects."""
    address = Address.of(url)
    assert (address.host, address.port, address.path, address.host_header) == (host, port, path, host_header)


@pytest.mark.parametrize(
    ("url", "path", "target"),
    [
        ("http://a", "", "/"),
        ("http://a", "/run_remote", "/run_remote"),
        ("http://a/", "/run_remote", "/run_remote"),
        ("http://a/b/", "/run_remote", "/b/run_remote"),
        ("http://a/b/", "", "/b/"),
        ("http://a/b?c=d", "", "/b?c=d"),
        ("unix:/run/a.sock", "", "/"),
    ],
)
def test_request_targets(url: str, path: str, target: str) -> None:
    """A path goes below the address's own; without one the address is asked exactly as it is written."""
    assert Address.of(url).target(path) == target


@pytest.mark.parametrize("url", ["", "a:80", "ftp://a", "http://", "/run/a.sock", "http:///x"])
def test_what_is_no_address(url: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="no http, https or unix URL"):
        Address.of(url)
