"""A small HTTP server on loopback that answers what a test wrote down, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE_SEC = 20


@dataclass(frozen=True)
class Step:
    """What to do about one request: send some bytes, perhaps wait, send more; then go on, close or reset."""

    data: bytes = b""
    wait_for: asyncio.Event | None = None
    more: bytes = b""
    end: str = "keep"


@dataclass
class Request:
    """One request as it came: request line, headers (lower-case names), body."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Loopback:
    """Answers requests by its steps, one after the other over all connections; the last step repeats."""

    steps: list[Step]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    most_at_once: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    _at_once: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            # Its end cancels it; asyncio's streams would report that.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self.open_connections -= 1
            writer.close()
            self.gone.set()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(await _request(reader))
        self.came.set()
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            writer.write(step.data)
            await writer.drain()
            if step.wait_for is not None and not await _event_or_end(step.wait_for, reader):
                return False
            writer.write(step.more)
            await writer.drain()
        finally:
            self._at_once -= 1
        if step.end == "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return step.end == "keep"


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in lines)}
    if "transfer-encoding" in headers:
        return Request(line, headers, await _chunked_body(reader))
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _chunked_body(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def _event_or_end(event: asyncio.Event, reader: asyncio.StreamReader) -> bool:
    """Wait for the event, or for the other side to close; say whether it was the event."""
    waiting = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(reader.read(1))}
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(waiting)
    return event.is_set()


@contextlib.asynccontextmanager
async def loopback(*steps: Step | bytes, path: Path | None = None) -> AsyncIterator[Loopback]:
    """Serve steps on a free port, or on a Unix socket. Bytes are a step that keeps the connection."""
    served = Loopback([step if isinstance(step, Step) else Step(step) for step in steps])
    if path is not None:
        server = await asyncio.start_unix_server(served.serve, path)
        served.url = f"unix:{path}"
    else:
        server = await asyncio.start_server(served.serve, "127.0.0.1", 0, limit=2**24)
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own; a test that hangs fails."""

    async def patient() -> T:
        async with asyncio.timeout(_PATIENCE_SEC):
            return await work

    return asyncio.run(patient())


def answer(body: bytes = b"", status: int = 200, *headers: str) -> bytes:
    """A whole answer with a length."""
    lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes) -> bytes:
    """A whole answer in chunks."""
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(map(chunk, [*chunks, b""]))


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port of loopback on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
