"""Requests to one address in, answers out: a pooled keep-alive client, written by hand on httptools."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httptools

from tests.bench.floor.receiver import Buffer, Receiver


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP port on loopback, or a Unix socket."""

    port: int = 0
    socket: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read `tcp:PORT` or `unix:PATH`."""
        kind, _, rest = url.partition(":")
        return cls(port=int(rest)) if kind == "tcp" else cls(socket=rest)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Buffer


class PooledClient:
    """Keeps as many connections as there were ever requests at once."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[_Connection] = []

    async def post(self, head: bytes, parts: tuple[Buffer, ...]) -> Answer:
        """Send a request. Raises ConnectionError when the connection ends before the answer."""
        connection = self._idle.pop() if self._idle else await self._connected()
        answer = await connection.exchange(head, parts)
        if connection.is_usable:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """End the idle connections."""
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._address.socket:
            _, connection = await loop.create_unix_connection(_Connection, self._address.socket)
        else:
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._address.port)
        return connection


class _Connection(Receiver):
    parser_type = httptools.HttpResponseParser

    def __init__(self) -> None:
        super().__init__()
        self._waiter: asyncio.Future[Answer] | None = None
        self._status = 0
        self.is_usable = True

    async def exchange(self, head: bytes, parts: tuple[Buffer, ...]) -> Answer:
        if self.transport.is_closing():
            raise ConnectionError("the connection was closed while it was idle")
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        self.send(head, parts)
        try:
            answer: Answer = await waiter
            return answer
        except asyncio.CancelledError:
            self.transport.close()
            raise

    def on_headers_complete(self) -> None:
        self._status = self.parser.get_status_code()
        self.is_usable = self.parser.should_keep_alive()

    def received(self, body: Buffer) -> None:
        assert self._waiter is not None
        if not self._waiter.done():
            self._waiter.set_result(Answer(self._status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError(f"the connection was lost: {exc}"))


def post_head(path: str, length: int, content_type: str, accept: str = "") -> bytes:
    """Build the head of a request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        f"content-type: {content_type}",
        *([f"accept: {accept}"] if accept else []),
        f"content-length: {length}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
