"""How the front door relays answers: framing, streaming, failure, and the flip of the route."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import cast

import pytest

from tests.unit.adapters.local.door_rig import OK, Peer, always_ok, length_of, open_door, run, status_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def raw_answer(answer: bytes, request: bytes = GET) -> bytes:
    """Return all bytes that a caller gets, up to the end of its connection."""
    got: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(request)
            got.append(await caller.rest())

    run(scenario)
    return got[0]


CLOSING = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"


def test_chunks_and_trailers_pass() -> None:
    """A chunked answer stays chunked, with its trailers."""
    head, _, body = raw_answer(CHUNKED, CLOSING).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body.endswith(b"0\r\nx-sum: 5\r\n\r\n")
    assert b"abc" in body


def test_an_old_caller_gets_no_chunks() -> None:
    """HTTP/1.0 knows no chunks: the body ends with the connection."""
    head, _, body = raw_answer(CHUNKED, b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body == b"abcde"


def test_a_body_that_ends_by_closing_ends_by_closing() -> None:
    """An answer without framing is passed on without framing."""
    answer = raw_answer(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    assert answer.endswith(b"connection: close\r\n\r\nall of it")


def test_head_has_a_length_and_no_body() -> None:
    """The answer to HEAD keeps its Content-Length, and the next request on both hops works."""

    async def script(peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            await peer.send(OK if head.startswith(b"GET") else OK[:-2])

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            for _ in range(3):
                await caller.send(b"HEAD / HTTP/1.1\r\n\r\n")
                assert length_of(await caller.head()) == 2
                await caller.send(GET)
                assert await caller.answer() == (200, b"ok")
            assert service.visits == 1
            caller.close()

    run(scenario)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_body(status: int) -> None:
    """204 and 304 end with their headers and keep the connection."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 %d X\r\n\r\n" % status)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            for _ in range(2):
                await caller.send(GET)
                assert status_of(await caller.head()) == status
            assert service.visits == 1
            caller.close()

    run(scenario)


def test_continue_is_asked_of_the_service() -> None:
    """A caller that waits for 100 Continue gets it from the service, then sends its body."""

    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert b"expect: 100-continue" in head.lower()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await peer.reader.readexactly(length_of(head))
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" + body)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert status_of(await caller.head()) == 100
            await caller.send(b"abc")
            assert await caller.answer() == (200, b"abc")
            caller.close()

    run(scenario)


def test_early_hints_pass() -> None:
    """Other 1xx answers are passed on before the final one."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(GET)
            assert b"link: </a>" in await caller.head()
            assert await caller.answer() == (200, b"ok")
            caller.close()

    run(scenario)


def test_a_service_that_dies_before_its_answer_is_502() -> None:
    """The caller gets JSON, and its connection lives on."""

    async def script(peer: Peer) -> None:
        await peer.request()

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            for _ in range(2):
                await caller.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
                status, body = await caller.answer()
                assert (status, b"service_lost" in body) == (502, True)
            assert service.visits == 2
            caller.close()

    run(scenario)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_never_a_short_success(start: bytes) -> None:
    """What was begun is not ended properly: no terminator, not the announced length."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(start)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(GET)
            await caller.head()
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await caller.reader.readuntil(b"0\r\n\r\n")

    run(scenario)


def test_an_old_caller_sees_a_reset_when_an_answer_breaks_off() -> None:
    """Where the body ends by closing, only a reset tells a broken answer from a whole one."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n")

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(b"GET / HTTP/1.0\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                await caller.rest()

    run(scenario)


async def something_to_read(peer: Peer) -> None:
    """Wait until bytes are in a peer's socket, and leave them there."""
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()
    copy = socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno()))
    loop.add_reader(copy, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(copy)
        copy.close()


def test_a_stale_connection_does_not_fail_a_request() -> None:
    """A service that closes its idle connection as the next request is sent is asked again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        cast(asyncio.Transport, peer.writer.transport).pause_reading()
        await peer.send(OK)
        await something_to_read(peer)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            for n in range(4):
                await caller.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
                assert await caller.answer() == (200, b"ok")
                assert service.visits == n + 1

    run(scenario)


def test_a_stale_connection_is_found_before_a_body_streams() -> None:
    """A body whose first part is sent already is sent again from its beginning."""
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        heard.append((await peer.request())[1])
        cast(asyncio.Transport, peer.writer.transport).pause_reading()
        await peer.send(OK)
        await something_to_read(peer)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            await caller.send(GET)
            await caller.answer()
            await caller.send(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
            while service.visits < 2:
                await asyncio.sleep(0)
            await caller.send(b"def")
            assert await caller.answer() == (200, b"ok")

    run(scenario)
    assert heard == [b"", b"abcdef"]


def test_a_post_that_was_read_is_not_sent_twice() -> None:
    """A service that dies over a POST on a kept connection is not asked the same again."""
    asked: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        asked.append((await peer.request())[1])

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(GET)
            assert (await caller.answer())[0] == 200
            await caller.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
            assert (await caller.answer())[0] == 502
            caller.close()

    run(scenario)
    assert asked == [b"abc"]


def test_a_get_that_was_read_is_sent_again() -> None:
    """What is harmless to repeat is repeated once, on a fresh connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            for _ in range(3):
                await caller.send(GET)
                assert (await caller.answer())[0] == 200
            assert service.visits == 3
            caller.close()

    run(scenario)


def test_a_big_body_streams_both_ways_without_being_held() -> None:
    """64 MiB go up and come back while the service echoes; neither side is buffered whole."""
    size, block = 64 * 1024 * 1024, b"x" * 65536

    async def echo(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        left = size
        while left:
            data = await peer.reader.read(65536)
            left -= len(data)
            await peer.send(data)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(echo):
            caller = await rig.call()
            await caller.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)

            async def upload() -> None:
                for _ in range(size // len(block)):
                    await caller.send(block)

            sending = asyncio.create_task(upload())
            assert status_of(await caller.head()) == 200
            assert len(await caller.reader.readexactly(size)) == size
            await sending
            caller.close()

    run(scenario)


def test_a_slow_consumer_holds_the_service_back() -> None:
    """While the caller does not read, the service cannot write more than the buffers hold."""

    async def scenario() -> None:
        sent = 0
        stuck, free = asyncio.Event(), asyncio.Event()
        total = 64 * 1024 * 1024

        async def script(peer: Peer) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
            while sent < total:
                peer.writer.write(b"x" * 65536)
                sent += 65536
                try:
                    await asyncio.wait_for(peer.writer.drain(), 0.3)
                except TimeoutError:
                    stuck.set()
                    await free.wait()
            await peer.writer.drain()

        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(GET)
            await caller.head()
            await stuck.wait()
            assert sent < total / 2
            free.set()
            assert len(await caller.reader.readexactly(total)) == total
            caller.close()

    run(scenario)


def test_the_first_chunk_is_passed_on_at_once() -> None:
    """A stream is not held until it ends."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
            await go_on.wait()
            await peer.send(b"0\r\n\r\n")

        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(GET)
            await caller.head()
            assert await caller.reader.readexactly(6) == b"1\r\na\r\n"
            go_on.set()
            assert await caller.reader.readexactly(5) == b"0\r\n\r\n"
            caller.close()

    run(scenario)


def test_an_early_answer_to_a_chunked_upload() -> None:
    """The answer may begin before the request ends, and end after it."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while (line := await peer.reader.readline()) != b"0\r\n":
            data = await peer.reader.readexactly(int(line, 16) + 2)
            await peer.send(line + data)
        await peer.send(b"0\r\n\r\n")

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            await caller.head()
            for _ in range(3):
                await caller.send(b"3\r\nabc\r\n")
                assert await caller.reader.readexactly(8) == b"3\r\nabc\r\n"
            await caller.send(b"0\r\n\r\n")
            assert await caller.reader.readexactly(5) == b"0\r\n\r\n"
            caller.close()

    run(scenario)


def test_a_flip_moves_the_next_request_of_an_open_connection() -> None:
    """What is under way finishes on the old service, the next request goes to the new one."""

    async def scenario() -> None:
        answer = asyncio.Event()

        async def old(peer: Peer) -> None:
            await peer.request()
            await answer.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold")

        async with (
            open_door() as rig,
            rig.service(always_ok, "new") as new,
            rig.service(old, "old") as service,
        ):
            caller = await rig.call()
            await caller.send(GET)
            while not service.visits:
                await asyncio.sleep(0)
            rig.switch.backend = new.backend
            answer.set()
            assert await caller.answer() == (200, b"old")
            await caller.send(GET)
            assert await caller.answer() == (200, b"ok")
            caller.close()

    run(scenario)


WEBSOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: k\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


def test_a_websocket_is_piped() -> None:
    """After 101 bytes pass in both directions, also those sent before it, until one side ends."""

    async def script(peer: Peer) -> None:
        head = (await peer.head()).lower()
        assert b"upgrade: websocket" in head
        assert b"sec-websocket-key: k" in head
        await peer.send(SWITCHED + b"Sec-WebSocket-Accept: s\r\n\r\nhello ")
        while data := await peer.reader.read(1000):
            await peer.send(data.upper())
            if data.endswith(b"bye"):
                return

    async def scenario() -> None:
        async with open_door() as rig, rig.service(script) as service:
            caller = await rig.call()
            await caller.send(WEBSOCKET + b"early ")
            head = await caller.head()
            assert status_of(head) == 101
            assert b"upgrade: websocket" in head.lower()
            assert await caller.reader.readexactly(12) == b"hello EARLY "
            assert service.backend.flights.count == 1
            await caller.send(b"bye")
            assert await caller.rest() == b"BYE"
            await service.backend.flights.landed()

    run(scenario)


def test_what_a_websocket_sends_last_arrives() -> None:
    """A caller that says goodbye and closes at once is still heard."""
    heard: list[bytes] = []

    async def scenario() -> None:
        ended = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(SWITCHED + b"\r\n")
            heard.append(await peer.rest())
            ended.set()

        async with open_door() as rig, rig.service(script):
            caller = await rig.call()
            await caller.send(WEBSOCKET)
            await caller.head()
            await caller.send(b"goodbye")
            caller.close()
            await ended.wait()

    run(scenario)
    assert heard == [b"goodbye"]


def test_a_refused_websocket_gets_the_answer() -> None:
    """A service may answer an upgrade with an ordinary answer; the connection ends with it."""
    answer = raw_answer(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno", WEBSOCKET)
    assert answer.startswith(b"HTTP/1.1 403 No\r\n")
    assert answer.endswith(b"connection: close\r\n\r\nno")


def test_a_closed_door_finishes_what_is_under_way() -> None:
    """After close, the request under way is answered and idle connections end."""

    async def scenario() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            asked.set()
            await answer.wait()
            await peer.send(OK)

        async with open_door() as rig, rig.service(script):
            busy, idle = await rig.call(), await rig.call()
            await busy.send(GET)
            await asked.wait()
            rig.door.close()
            assert await idle.rest() == b""
            answer.set()
            assert await busy.answer() == (200, b"ok")
            assert await busy.rest() == b""

    run(scenario)
