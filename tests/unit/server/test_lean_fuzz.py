"""Random and damaged bytes, in random pieces, into both ends of the protocol: no crash, no hang, no lie."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import chainctl as chains
from chainctl.calls.address import Address
from chainctl.calls.answer import BrokenAnswerError
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.wire.frame import joined
from chainctl.wire.media import FRAME
from chainctl.wire.signature import ResultCodec
from chainctl.wire.stream_frame import Kind, whole_frame
from tests.unit.worker.fabric import net_of, request, run
from tests.unit.worker.loopback import answer, chunk, chunked

fuzzed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CALLS: list[str] = []


class Echo(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        CALLS.append(text)
        return text


def call_of(text: str, *headers: str) -> bytes:
    return request(json.dumps({"text": text}).encode(), *headers)


REQUESTS = [
    call_of("one"),
    call_of("x" * 40_000),
    call_of("one") + call_of("two"),
    call_of("one", "expect: 100-continue", "connection: close"),
    request(b"", "transfer-encoding: chunked") + chunk(b'{"text":') + chunk(b'"one"}') + chunk(b""),
    request(b"", "transfer-encoding: chunked", "content-type: application/vnd.chainctl.stream")
    + chunk(whole_frame(Kind.ARGUMENTS, b'{"text": "one"}')) + chunk(whole_frame(Kind.END)) + chunk(b""),
    b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /readyz HTTP/1.1\r\nhost: a\r\n\r\n",
    request(joined(ResultCodec(dict[str, str]).encode_frame({"text": "one"})), f"content-type: {FRAME}"),
]  # fmt: skip
ANSWERS = [
    answer(b'"right"'),
    answer(b"x" * 40_000),
    chunked(b'"ri', b'ght"'),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b'"right"'),
    answer(b"no", 500, "connection: close") + answer(b'"wrong"'),
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\n\r\n",
]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> list[bytes]:
    """Pieces of a message in which some bytes were changed, left out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, min(len(data), 400)))
        more = draw(
            st.one_of(
                st.binary(max_size=4), st.sampled_from([b"\r\n", b"0", b"chunked", b":", b"\x00", b"9" * 25])
            )
        )
        cut = draw(st.integers(0, 20))
        data[at : at + cut] = more
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=5)))
    return [bytes(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


anything = st.lists(st.binary(max_size=300), max_size=4)
prefixed = anything.map(lambda pieces: [b"POST /-/run_remote HTTP/1.1\r\n", *pieces])


def in_loop(work: Coroutine[Any, Any, None]) -> None:
    run(work, "asyncio")


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@fuzzed
@given(pieces=st.one_of(damaged(REQUESTS), anything, prefixed), ends=st.booleans())
@example(pieces=[b"POST /-/run_remote HTTP/1.1\r\ncontent-length: " + b"0" * 5000 + b"\r\n\r\n"], ends=True)
@example(pieces=[call_of("one") + call_of("two")], ends=False)
def test_server(pieces: list[bytes], ends: bool) -> None:
    """Whatever comes, the server stays up, and runs only what a request with the token says."""
    CALLS.clear()

    async def work() -> None:
        async with net_of(Echo) as net:
            reader, writer = await net.connect(Echo)
            with contextlib.suppress(OSError):
                for piece in pieces:
                    writer.write(piece)
                    await turn()
                if ends:
                    writer.write_eof()
            await turn()
            writer.close()
            stub = net.stub(Echo)
            assert await stub.run_remote("after all") == "after all"
            answered = await _all_of(reader)
            assert answered.count(b" 200 OK") <= 2
        assert net.workers["Echo"].gate.in_flight == 0

    in_loop(work())
    if b"secret-token" not in b"".join(pieces):
        assert CALLS == ["after all"]


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@fuzzed
@given(
    pieces=st.one_of(damaged(ANSWERS), anything),
    ends=st.sampled_from(["eof", "abort", "stay"]),
    streamed=st.booleans(),
)
@example(
    pieces=[b"HTTP/1.1 101 X\r\nupgrade: a\r\nconnection: upgrade\r\n\r\nabc"], ends="stay", streamed=False
)
@example(
    pieces=[b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x" * 50_000], ends="eof", streamed=False
)
def test_client(pieces: list[bytes], ends: str, streamed: bool) -> None:
    """Whatever comes, a call ends: with an answer that a strict reader sees too, or with an error of the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await turn()
            if ends == "stay":
                await reader.read()
            elif ends == "abort":
                writer.transport.abort()
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = HttpClient(Address.of(url))
        head = request_head(Address.of(url), "POST", "/", {})
        deadline = asyncio.get_running_loop().time() + 0.05
        try:
            if streamed:
                found, chunks = await client.stream(head, (b"{}",), deadline)
                async with asyncio.timeout(0.05):
                    body = b"".join([part async for part in chunks])
            else:
                found = await client.request(head, (b"{}",), deadline)
                body = bytes(found.body)
        except (BrokenAnswerError, TimeoutError):
            pass
        else:
            _believable(found.status, body, b"".join(pieces))
        finally:
            client.close()
            server.close()
            await turn()

    in_loop(work())


def _believable(status: int, body: bytes, sent: bytes) -> None:
    """The first answer that is no interim one, and nothing else, was reported."""
    assert 200 <= status < 1000
    statuses = [int(found) for found in re.findall(rb"HTTP/\d\.\d +(\d{3})", sent)]
    assert status in [found for found in statuses if found >= 200]
    assert len(body) <= len(sent)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_second_answer_changes_nothing(status: int) -> None:
    """An answer is what came first, although more follows in the same piece."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"first", status, "x-a: 1") + answer(b"second", 201, "x-a: 2"))
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = Address.of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = HttpClient(address)
        found = await client.request(request_head(address, "POST", "/", {}), ())
        assert (found.status, found.body, found.headers["x-a"]) == (status, b"first", "1")
        assert client._idle == []
        server.close()

    run(work())
