"""HTTP requests in, answers out: a lean pooled HTTP/1.1 client on httptools, for one event loop.

It speaks TCP, TLS and Unix sockets. A connection carries one request at a time and goes back to
the pool when the answer was read whole; a cancelled request closes its connection, which is how
the other side learns that nobody waits any more.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union, cast
from urllib.parse import urlsplit

import httptools

_IDLE_SEC = 30.0
_HIGH_WATER = 1 << 20


class NotSentError(ConnectionError):
    """The other side did not begin to work on the request, so that sending it again is safe."""


class BrokenAnswerError(ConnectionError):
    """The connection ended before the answer did."""


@dataclass(frozen=True)
class Address:
    """Where a service answers: a Unix socket, or host and port; `path` is the base of its URLs."""

    host: str
    port: int = 0
    socket: Optional[str] = None
    is_tls: bool = False
    path: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Parse `http://…`, `https://…` or `unix:/path.sock`. Raises ValueError."""
        if url.startswith("unix:"):
            return cls("localhost", socket=url[len("unix:") :])
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http, https or unix URL")
        is_tls = parts.scheme == "https"
        query = f"?{parts.query}" if parts.query else ""
        port = parts.port or (443 if is_tls else 80)
        return cls(parts.hostname, port, is_tls=is_tls, path=parts.path + query)

    @property
    def host_header(self) -> str:
        default = 443 if self.is_tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.socket or self.port == default else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """What a request line names: `path` below this address, the address's own path when it is empty."""
        return (self.path.rstrip("/") + path if path else self.path) or "/"

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{self.host}:{self.port}"


@dataclass
class Answer:
    """Status, headers (lower-case names) and the whole body of an answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpClient:
    """A pool of connections to one address, for the event loop it is used in."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[tuple[float, _Connection]] = []
        self._tls = ssl.create_default_context() if address.is_tls else None

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and read its whole answer.

        Raises NotSentError when it did not reach the other side, BrokenAnswerError when the
        connection ended early.
        """
        connection = await self._send(method, path, headers, body)
        try:
            answer = await connection.answer_head()
            chunks = [chunk async for chunk in connection.chunks()]
            answer.body = b"".join(chunks)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    async def stream(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Send a request and return the head of its answer, and the body as it comes.

        The iterator raises BrokenAnswerError when the body ends early. Close it (`aclose`) to give
        up: the connection is closed then.
        """
        connection = await self._send(method, path, headers, body)
        try:
            answer = await connection.answer_head()
        except BaseException:
            connection.close()
            raise
        return answer, self._read(connection)

    async def _read(self, connection: _Connection) -> AsyncIterator[bytes]:
        complete = False
        try:
            async for chunk in connection.chunks():
                yield chunk
            complete = True
        finally:
            if complete:
                self._give_back(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Connection:
        """Send on an idle connection or a new one; one that died while idle is not the caller's problem.

        A new connection that dies before the answer was not idle: the request may have been at work.
        """
        message = _message(self._address, method, path, headers, body)
        while True:
            pooled = self._take()
            connection = pooled or await self._connect()
            try:
                connection.send(message)
                await connection.first_byte()
            except NotSentError as error:
                connection.close()
                if pooled is None:
                    raise BrokenAnswerError(str(error)) from error
            except BaseException:
                connection.close()
                raise
            else:
                return connection

    def _take(self) -> Optional[_Connection]:
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_open and now - since < _IDLE_SEC:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: _Connection) -> None:
        if connection.can_be_reused:
            self._idle.append((asyncio.get_running_loop().time(), connection))
        else:
            connection.close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        address = self._address
        try:
            if address.socket:
                _, protocol = await loop.create_unix_connection(_Connection, address.socket)
            else:
                _, protocol = await loop.create_connection(
                    _Connection, address.host, address.port, ssl=self._tls
                )
        except OSError as error:
            raise NotSentError(f"cannot connect to {address}: {error}") from error
        return protocol


def _message(
    address: Address, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[bytes, bytes]:
    lines = [f"{method} {address.target(path)} HTTP/1.1", f"host: {address.host_header}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
    return head.encode("latin-1"), body


_END: Any = object()


class _Connection(asyncio.Protocol):
    """One connection: sends a request, parses one answer, holds back the sender when nobody reads."""

    def __init__(self) -> None:
        self._transport: Optional[asyncio.Transport] = None
        self._parser: Any = None
        self._reset()
        self._lost = False

    def _reset(self) -> None:
        self._answer = Answer(0)
        self._head: Optional[asyncio.Future[None]] = None
        self._queue: list[Union[bytes, object]] = []
        self._queued = 0
        self._waiter: Optional[asyncio.Future[None]] = None
        self._got_bytes = False
        self._complete = False
        self._keep_alive = True
        self._paused = False

    # --- what the client calls ---

    @property
    def is_open(self) -> bool:
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    @property
    def can_be_reused(self) -> bool:
        return self.is_open and self._complete and self._keep_alive

    def send(self, message: tuple[bytes, bytes]) -> None:
        if not self.is_open or self._transport is None:
            raise NotSentError("the connection was closed while it was idle")
        self._reset()
        self._parser = httptools.HttpResponseParser(self)
        self._head = asyncio.get_running_loop().create_future()
        self._transport.writelines([part for part in message if part])

    async def first_byte(self) -> None:
        """Wait until something came back. Raises NotSentError when the connection died before that."""
        if not self._got_bytes and not self._lost:
            await self._wait()
        if not self._got_bytes:
            raise NotSentError("the connection was closed before any answer")

    async def answer_head(self) -> Answer:
        if self._head is not None:
            await self._head
        return self._answer

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            while self._queue:
                item = self._queue.pop(0)
                if item is _END:
                    return
                assert isinstance(item, bytes)
                self._queued -= len(item)
                self._resume_if_drained()
                yield item
            if self._lost:
                raise BrokenAnswerError("the connection ended in the middle of the answer")
            await self._wait()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._complete:
            self.close()
            return
        self._got_bytes = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(BrokenAnswerError(f"the answer is no HTTP: {error}"))
            self.close()
        self._wake()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._lost = True
        ended = exc is None and self._parser is not None and not self._complete
        if ended and self._ends_with_connection():
            self.on_message_complete()
        elif not self._complete:
            self._break(BrokenAnswerError("the connection ended before the answer"))
        self._wake()

    def _ends_with_connection(self) -> bool:
        headers = self._answer.headers
        framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "")
        return self._answer.status != 0 and not framed

    # --- what the parser calls ---

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self._answer.status = status
        self._keep_alive = self._parser.should_keep_alive()
        if self._head is not None and not self._head.done():
            self._head.set_result(None)

    def on_body(self, body: bytes) -> None:
        self._queue.append(body)
        self._queued += len(body)
        if self._queued > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._answer.status == 0:
            self._answer.headers.clear()
            return
        self._complete = True
        self._queue.append(_END)

    # --- inside ---

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, error: Exception) -> None:
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
            self._head.exception()

    def _resume_if_drained(self) -> None:
        if self._paused and self._queued < _HIGH_WATER // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
