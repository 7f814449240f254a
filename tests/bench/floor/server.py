"""`python -m tests.bench.floor.server LISTEN [INNER]`: the least service that does the work of the benchmarks.

With INNER it is the entrypoint and calls that, without it is the inner one. Paths: /hop, /fan (16
calls), /array (there and back), /shared (the array is received into a segment of /dev/shm; the
inner service maps it).
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import sys
from pathlib import Path

import httptools
import numpy as np
import pydantic
import uvloop

from tests.bench.floor.client import Address, PooledClient, post_head
from tests.bench.floor.receiver import Buffer, Receiver

FAN = 16
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
_OCTETS = "application/octet-stream"


class Number(pydantic.BaseModel):
    """The only thing that is validated."""

    n: int


class Segments:
    """Maps files of /dev/shm, each once."""

    def __init__(self) -> None:
        self._maps: dict[str, memoryview] = {}

    def find_or_create(self, name: str, length: int) -> memoryview:
        if name not in self._maps:
            path = _segment(name)
            path.write_bytes(b"")
            os.truncate(path, length)
        return self.find(name)

    def find(self, name: str) -> memoryview:
        view = self._maps.get(name)
        if view is None:
            with _segment(name).open("r+b") as file:
                view = self._maps[name] = memoryview(mmap.mmap(file.fileno(), 0))
        return view

    def remove_own(self, prefix: str) -> None:
        for name in self._maps:
            if name.startswith(prefix):
                _segment(name).unlink()


def _segment(name: str) -> Path:
    return Path("/dev/shm") / name


class FloorConnection(Receiver):
    """One connection of the floor's server."""

    parser_type = httptools.HttpRequestParser

    def __init__(self, inner: PooledClient | None, segments: Segments) -> None:
        super().__init__()
        self._inner = inner
        self._segments = segments
        self._task: asyncio.Task[None] | None = None
        self._segment = ""

    def allocate(self, length: int) -> memoryview:
        if self.path != b"/shared":
            return super().allocate(length)
        self._segment = f"floor-{os.getpid()}-{id(self)}-{length}"
        return self._segments.find_or_create(self._segment, length)

    def received(self, body: Buffer) -> None:
        if self._inner is None:
            self._answer(self._worked(body))
        else:
            self._task = asyncio.get_running_loop().create_task(self._called(self._inner, body))

    def _answer(self, body: Buffer) -> None:
        self.send(_OK % len(body), (body,))

    def _worked(self, body: Buffer) -> Buffer:
        """Do the work of the inner service."""
        if self.path == b"/array":
            return _seen(body)
        if self.path == b"/shared":
            told = json.loads(bytes(body))
            np.frombuffer(self._segments.find(told["segment"]), np.float32)
            return body
        return b'{"n":%d}' % (Number.model_validate_json(bytes(body)).n + 1)

    async def _called(self, inner: PooledClient, body: Buffer) -> None:
        """Do the work of the entrypoint."""
        if self.path == b"/array":
            answer = await inner.post(post_head("/array", len(body), _OCTETS), (_seen(body),))
            self._answer(_seen(answer.body))
        elif self.path == b"/shared":
            told = json.dumps({"segment": self._segment}).encode()
            answer = await inner.post(post_head("/shared", len(told), "application/json"), (told,))
            self._answer(self._segments.find(json.loads(bytes(answer.body))["segment"]))
        else:
            number = Number.model_validate_json(bytes(body)).n
            calls = [_number(inner, number + i) for i in range(FAN if self.path == b"/fan" else 1)]
            results = [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)
            self._answer(b'{"n":%d}' % sum(results))


def _seen(body: Buffer) -> memoryview:
    """Make an array of a buffer, and a buffer of the array."""
    return np.frombuffer(body, np.float32).data.cast("B")


async def _number(inner: PooledClient, number: int) -> int:
    body = b'{"n":%d}' % number
    answer = await inner.post(post_head("/hop", len(body), "application/json"), (body,))
    return Number.model_validate_json(bytes(answer.body)).n


async def serve(listen: Address, inner: Address | None) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    segments = Segments()
    client = None if inner is None else PooledClient(inner)

    def connection() -> FloorConnection:
        return FloorConnection(client, segments)

    if listen.socket:
        server = await loop.create_unix_server(connection, listen.socket)
    else:
        server = await loop.create_server(connection, "127.0.0.1", listen.port)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()
    segments.remove_own(f"floor-{os.getpid()}-")


if __name__ == "__main__":
    _, listen_at, *inner_at = sys.argv
    uvloop.run(serve(Address.of(listen_at), Address.of(inner_at[0]) if inner_at else None))
