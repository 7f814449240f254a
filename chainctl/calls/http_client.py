"""HTTP requests in, answers out: a lean pooled HTTP/1.1 client on httptools, for one event loop.

It speaks TCP, TLS and Unix sockets. A connection carries one request at a time and goes back to
the pool when the answer was read whole; a cancelled request closes its connection, which is how
the other side learns that nobody waits any more.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Optional, TypeVar

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotConnectedError, NotSentError, Parts
from chainctl.calls.client_connection import ClientConnection
from chainctl.calls.lost_peer import end_when_lost
from chainctl.calls.time_limit import TimeLimit

_IDLE_SEC = 30.0
_MOST_IDLE = 256
_SCRATCH_BYTES = 64 * 1024
T = TypeVar("T")


def request_head(address: Address, method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Return a request's line and headers, all but those that differ from call to call.

    Raises ValueError when a header would break the message.
    """
    lines = [f"{method} {address.target(path)} HTTP/1.1", f"host: {address.host_header}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


class HttpClient:
    """A pool of connections to one address, for the event loop it is used in.

    Heads come from `request_head`, deadlines are of the loop's clock, in seconds. `tls` says what
    certificates are accepted where the address is TLS; those that the system trusts without it.
    `connect_sec` bounds the time for a connection; with `lost_sec` one ends whose other side's machine has been
    gone for so long, however long its answer may take. `on_wake` is called with the first of idle ones;
    `connections` are what it speaks through.
    """

    def __init__(
        self,
        address: Address,
        tls: Optional[ssl.SSLContext] = None,
        *,
        connect_sec: Optional[float] = None,
        lost_sec: Optional[int] = None,
        connections: type[ClientConnection] = ClientConnection,
    ) -> None:
        self._connections = connections
        self.address = address
        self.on_wake: Optional[Callable[[], None]] = None
        self._connect_sec = connect_sec
        self._lost_sec = lost_sec
        self._idle: list[tuple[float, ClientConnection]] = []
        self._tls = (tls or ssl.create_default_context()) if address.is_tls else None
        self._scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self._sweeper: Optional[asyncio.TimerHandle] = None
        self._last_host: Optional[str] = None

    @property
    def is_used(self) -> bool:
        """Say whether there were idle connections not long ago: so long somebody makes calls."""
        return self._sweeper is not None

    async def request(self, head: bytes, parts: Parts, deadline: Optional[float] = None) -> Answer:
        """Send a request and read its whole answer.

        Raises NotSentError when it did not reach the other side, BrokenAnswerError when the
        connection ended early, TimeoutError at the deadline.
        """
        head += b"content-length: %d\r\n\r\n" % sum(map(len, parts))
        while True:
            connection = self._take() or await self._connected(deadline)
            try:
                answer = await connection.exchange(head, parts, deadline)
            except NotSentError:
                if not connection.was_used:
                    raise
                continue
            self._give_back(connection)
            return answer

    async def stream(
        self, head: bytes, parts: Parts, deadline: Optional[float] = None
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Send a request and return the head of its answer, and the body as it comes.

        Raises what `request` raises; the iterator raises BrokenAnswerError when the body ends
        early. Close it (`aclose`) to give up: the connection is closed then.
        """
        head += b"content-length: %d\r\n\r\n" % sum(map(len, parts))
        while True:
            connection = self._take() or await self._connected(deadline)
            try:
                answer = await connection.open(head, parts, deadline)
            except NotSentError:
                if not connection.was_used:
                    raise
                continue
            return answer, self._read(connection)

    async def send_stream(
        self,
        head: bytes,
        chunks: AsyncIterator[Parts],
        deadline: Optional[float] = None,
        *,
        length: Optional[int] = None,
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Send a request whose body comes as it is made; return what `stream` returns.

        The answer may begin before the body ends. Nothing is sent twice: once begun, chunks are gone.
        `length` is that of the body where it is known.
        """
        connection = await self._connected(deadline)
        head += (
            b"transfer-encoding: chunked\r\n\r\n"
            if length is None
            else b"content-length: %d\r\n\r\n" % length
        )
        upload = _Upload(connection, chunks, is_chunked=length is None)
        try:
            answer = await upload.while_sending(connection.open(head, (), deadline))
        except BaseException:
            connection.close()
            raise
        return answer, self._read(connection, upload)

    async def _read(
        self, connection: ClientConnection, upload: Optional[_Upload] = None
    ) -> AsyncIterator[bytes]:
        complete = False
        try:
            async with aclosing(connection.chunks()) as chunks:  # type: ignore[type-var]  # it is a generator
                async for chunk in chunks:
                    yield chunk
        except BrokenAnswerError:
            if upload is not None:
                upload.raise_failure()
            raise
        else:
            if upload is not None:
                upload.raise_failure()
            complete = upload is None or upload.is_complete
        finally:
            if upload is not None:
                upload.cancel()
            if complete:
                self._give_back(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop()[1].close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _take(self) -> Optional[ClientConnection]:
        while self._idle:
            _, connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: ClientConnection) -> None:
        if not connection.can_be_reused or len(self._idle) >= _MOST_IDLE:
            connection.close()
            return
        connection.was_used = True
        self._idle.append((time.monotonic(), connection))
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(_IDLE_SEC, self._sweep, loop)
            if self.on_wake is not None:
                self.on_wake()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what was idle for long; the longest idle are first, as the latest is always taken."""
        oldest = time.monotonic() - _IDLE_SEC
        while self._idle and self._idle[0][0] <= oldest:
            self._idle.pop(0)[1].close()
        self._sweeper = None
        if self._idle:
            self._sweeper = loop.call_at(self._idle[0][0] + _IDLE_SEC, self._sweep, loop)

    async def _connected(self, deadline: Optional[float]) -> ClientConnection:
        loop = asyncio.get_running_loop()
        left = None if deadline is None else deadline - loop.time()
        if self._connect_sec is not None and (left is None or left > self._connect_sec):
            return await self._connected_soon(loop, self._connect_sec)
        if left is None:
            return await self._connect(loop)
        with TimeLimit(left):
            return await self._connect(loop)

    async def _connected_soon(self, loop: asyncio.AbstractEventLoop, within_sec: float) -> ClientConnection:
        try:
            with TimeLimit(within_sec):
                return await self._connect(loop)
        except TimeoutError as error:
            raise NotConnectedError(f"no connection to {self.address} in {within_sec:g} s") from error

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> ClientConnection:
        address = self.address

        def protocol() -> ClientConnection:
            return self._connections(loop, self._scratch)

        try:
            if address.socket:
                _, connection = await loop.create_unix_connection(protocol, address.socket)
            else:
                connection = await self._connect_by_name(loop, protocol)
        except OSError as error:
            raise NotConnectedError(f"cannot connect to {address}: {error}") from error
        return connection

    async def _connect_by_name(
        self, loop: asyncio.AbstractEventLoop, protocol: Callable[[], ClientConnection]
    ) -> ClientConnection:
        """Connect to where a name leads; as long as nobody answers for names, to where the last connection went.

        Names of containers are answered by their engine, which may be away while they run.
        """
        host, port = self.address.host, self.address.port
        try:
            transport, connection = await loop.create_connection(protocol, host, port, ssl=self._tls)
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN or self._last_host is None:
                raise
            transport, connection = await loop.create_connection(
                protocol, self._last_host, port, ssl=self._tls, server_hostname=host if self._tls else None
            )
        self._last_host = transport.get_extra_info("peername")[0]
        if self._lost_sec is not None:
            end_when_lost(transport.get_extra_info("socket"), self._lost_sec)
        return connection


class _Upload:
    """Sends the chunks of a body beside the reading of its answer."""

    def __init__(
        self, connection: ClientConnection, chunks: AsyncIterator[Parts], *, is_chunked: bool = True
    ) -> None:
        self._is_chunked = is_chunked
        self._connection = connection
        self._chunks = chunks
        self._task: Optional[asyncio.Task[None]] = None
        self._failure: Optional[BaseException] = None

    @property
    def is_complete(self) -> bool:
        return self._task is not None and self._task.done() and self._failure is None

    async def while_sending(self, answer: Awaitable[T]) -> T:
        """Send while an answer is awaited. Raises what the chunks raise, if they fail first."""
        waiting = asyncio.ensure_future(answer)
        await asyncio.sleep(0)  # the head goes first
        self._task = asyncio.ensure_future(self._send())
        try:
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            self.raise_failure()
            return await waiting
        except BaseException:
            self.cancel()
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()  # the failure that is raised here came first
            raise

    def raise_failure(self) -> None:
        """Raise what the chunks raised; a connection that ended is told by its answer."""
        if self._failure is not None and not isinstance(self._failure, BrokenAnswerError):
            raise self._failure

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _send(self) -> None:
        try:
            async for parts in self._chunks:
                size = sum(map(len, parts))
                if size:
                    framed = [b"%x\r\n" % size, *parts, b"\r\n"] if self._is_chunked else parts
                    await self._connection.write(framed)
            if self._is_chunked:
                await self._connection.write([b"0\r\n\r\n"])
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # a user's own iterator runs here; raised where it is awaited
            self._failure = error
            self._connection.close()
