"""Requests in place of a service: led to a process, made again elsewhere, over a link that may break."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.intercept.callers import Callers
from chainctl.adapters.intercept.http_body import BodyReader
from chainctl.adapters.intercept.mux import Channel, Mux, Said
from chainctl.adapters.intercept.relay import Incoming, Relay, SocketPipe, Upstream, join

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
Send = Callable[[bytes], Awaitable[bytes]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def answering(data: bytes, *, reads: int = 1) -> Serve:
    """An upstream that reads, answers with these bytes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(reads):
            await reader.read(65536)
        writer.write(data)
        writer.close()

    return serve


@contextlib.asynccontextmanager
async def relayed(directory: Path, process: Serve, service: Serve) -> AsyncIterator[Send]:
    """A relay before a process and the service; gives what sends bytes to it and reads all that comes."""
    async with contextlib.AsyncExitStack() as stack:
        for name, serve in (("process", process), ("service", service)):
            await stack.enter_async_context(await asyncio.start_unix_server(serve, str(directory / name)))

        async def opened(name: str) -> SocketPipe:
            return SocketPipe(*await asyncio.open_unix_connection(str(directory / name)))

        def upstreams() -> Iterator[Upstream]:
            yield Upstream(partial(opened, "process"), is_repeated=True)
            yield Upstream(partial(opened, "service"))

        relay = Relay(upstreams, Callers(time.monotonic), hides_memory=True)
        relay.is_open = True

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = Incoming()

            async def serve(_same: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await relay.serve(reader, writer)

            return asyncio.StreamReaderProtocol(reader, serve)

        loop = asyncio.get_running_loop()
        await stack.enter_async_context(await loop.create_unix_server(protocol, str(directory / "relay")))

        async def send(data: bytes) -> bytes:
            reader, writer = await asyncio.open_unix_connection(str(directory / "relay"))
            writer.write(data)
            said = await reader.read(65536)
            writer.close()
            return said

        yield send


POST = b"POST /run_remote HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 O", OK + b"ab"])
def test_what_a_process_lost_is_made_again(tmp_path: Path, said: bytes) -> None:
    """Whether it has not answered at all, or not to the end."""

    async def work() -> None:
        async with relayed(tmp_path, answering(said), answering(OK + b"there")) as send:
            assert await send(POST) == OK + b"there"

    run(work())


def test_what_the_service_lost_is_not(tmp_path: Path) -> None:
    """It may have done the work: its caller decides, as without a stand-in."""

    async def work() -> None:
        async with relayed(tmp_path, answering(b""), answering(b"")) as send:
            with contextlib.suppress(ConnectionResetError):
                assert await send(POST) == b""

    run(work())


def test_a_whole_answer_of_the_process_is_passed_on(tmp_path: Path) -> None:
    """The service is not asked."""

    async def work() -> None:
        async with relayed(tmp_path, answering(OK + b"here!"), answering(OK + b"there")) as send:
            assert await send(POST) == OK + b"here!"

    run(work())


def test_memory_that_the_process_does_not_see_is_not_told_of(tmp_path: Path) -> None:
    """A caller that shares memory hears of none here, and what refers to some goes to the service."""
    lost = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 15\r\n\r\nnames no buffer"
    shared = POST.replace(b"host: x", b"host: x\r\nx-chainctl-shared: abc")
    known = OK.replace(b"content", b"x-chainctl-shared: abc\r\ncontent")

    async def work() -> None:
        async with relayed(tmp_path, answering(lost), answering(known + b"there")) as send:
            said = await send(shared)
            assert b"x-chainctl-shared: -\r\n" in said
            assert b"abc" not in said

    run(work())


def test_it_says_itself_whether_it_is_open(tmp_path: Path) -> None:
    """No upstream is asked for that."""

    async def work() -> None:
        async with relayed(tmp_path, answering(b""), answering(b"")) as send:
            assert (await send(b"GET /openz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert (await send(b"GET /readyz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")

    run(work())


def test_what_leaves_http_is_passed_on_both_ways(tmp_path: Path) -> None:
    """As a WebSocket does; it ends for both where one ends it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n")
        while (said := await reader.readline()) != b"bye\n":
            writer.write(said.upper())
        writer.close()

    async def work() -> None:
        async with relayed(tmp_path, talk, answering(b"")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "relay"))
            writer.write(b"GET /run_remote HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            for word in (b"one\n", b"two\n"):
                writer.write(word)
                assert await reader.readline() == word.upper()
            writer.write(b"bye\n")
            assert await reader.read() == b""
            writer.close()

    run(work())


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=6))
def test_a_chunked_body_ends_where_it_ends(chunks: list[bytes]) -> None:
    """Whatever is in it; what follows is left."""
    written = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\nx-trailer: 1\r\n\r\n"

    async def work() -> None:
        reader = Incoming()
        reader.feed_data(written + b"GET /next")
        reader.feed_eof()
        body = BodyReader.of_request(reader, {b"transfer-encoding": b"chunked"})
        pieces = []
        while piece := await body.next():
            pieces.append(piece)
        assert b"".join(pieces) == written
        assert await reader.read() == b"GET /next"

    run(work())


@contextlib.asynccontextmanager
async def linked(opened: Callable[[Channel], Awaitable[None]]) -> AsyncIterator[tuple[Mux, Mux, list[Said]]]:
    """Two ends of one link; `opened` is what the second one does with streams."""
    heard: list[Said] = []
    ends = []
    for is_first, end in zip((True, False), socket.socketpair(), strict=True):
        streams = await asyncio.open_connection(sock=end)
        mux = Mux(*streams, is_first=is_first, opened=opened, heard=heard.append)
        mux.start()
        ends.append(mux)
    try:
        yield ends[0], ends[1], heard
    finally:
        for mux in ends:
            mux.close()
        await asyncio.gather(*(mux.closed.wait() for mux in ends))


async def echo(channel: Channel) -> None:
    while data := await channel.read(65536):
        await channel.send(data)
    channel.finish()


def test_streams_over_one_link_do_not_stop_each_other() -> None:
    """One that nobody reads keeps to its window, another goes on."""

    async def work() -> None:
        async with linked(echo) as (one, _, _):
            stuck, lively = one.open("a"), one.open("b")
            sending = asyncio.ensure_future(stuck.send(bytes(8 << 20)))
            for _ in range(50):
                await lively.send(b"x" * 1000)
                assert len(await lively.read_until(b"x" * 1000)) == 1000
            assert not sending.done()
            sending.cancel()

    run(work())


def test_a_link_that_breaks_breaks_its_streams() -> None:
    """Readers and writers hear of it, and no stream is opened any more."""

    async def work() -> None:
        async with linked(echo) as (one, other, _):
            channel = one.open("a")
            other.close()
            with pytest.raises(ConnectionResetError):
                await channel.read(1)
            await one.closed.wait()
            with pytest.raises(ConnectionResetError):
                one.open("b")

    run(work())


def test_what_is_said_is_heard() -> None:
    """Beside the streams."""

    async def work() -> None:
        async with linked(echo) as (one, _, heard):
            one.say({"say": "open"})
            channel = one.open("a")
            await channel.send(b"1")
            assert await channel.read(1) == b"1"
            assert heard == [{"say": "open"}]

    run(work())


def test_both_ways_are_joined_until_both_end() -> None:
    """What is sent last still goes across."""

    async def work() -> None:
        async with linked(echo) as (one, _, _):
            near, far = socket.socketpair()
            pipe = SocketPipe(*await asyncio.open_connection(sock=near))
            joining = asyncio.ensure_future(join(pipe, one.open("a")))
            reader, writer = await asyncio.open_connection(sock=far)
            writer.write(b"words")
            writer.write_eof()
            assert await reader.read() == b"words"
            await joining
            writer.close()

    run(work())
