"""Requests to a service that is intercepted in; answers of the first upstream that gives a whole one out.

A request whose upstream is lost before it has answered is made again at the next one. So a process that is
killed loses no request, as long as the others can do what it had begun.

It runs in the stand-in of a chain, so it needs the standard library only, and Python 3.10.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from chainctl.adapters.intercept.callers import Call, Callers, peer_of
from chainctl.adapters.intercept.http_body import HEAD_END, BodyReader, Source, headers_in

KEPT_BYTES = 16 * 1024 * 1024
"""So much of a request is kept to be made again, and so much of an answer until it is whole."""
_PIECE = 64 * 1024
_HEAD_LIMIT = 256 * 1024
_SHARED = b"x-chainctl-shared"
_NO_BUFFER = b"names no buffer"
_CLIENT_ERRORS = range(400, 500)
_BODYLESS = range(100, 200)
_SWITCHED = 101
_OK, _CLOSED = 200, 503
_CLOSE = b"connection: close\r\n"
_JSON = b"content-type: application/json\r\n"
_NO_UPSTREAM = _JSON + _CLOSE + b"retry-after: 1\r\nx-chainctl-not-started: 1\r\n"
_GONE = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)


class Pipe(Source, Protocol):
    """A connection to an upstream."""

    async def send(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class SocketPipe:
    """A connection of this machine, or of this network."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, most: int) -> bytes:
        return await self._reader.read(most)

    async def read_until(self, separator: bytes) -> bytes:
        return await self._reader.readuntil(separator)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def finish(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def abort(self) -> None:
        self._writer.close()


@dataclass(frozen=True)
class Upstream:
    """Who may answer. `open` connects, or raises OSError.

    With `is_repeated` a request that was lost there is made again elsewhere, begun or not.
    """

    open: Callable[[], Awaitable[Pipe]]
    is_repeated: bool = False


class Incoming(asyncio.StreamReader):
    """What a caller sends; `left` comes true when the caller has gone."""

    def __init__(self) -> None:
        super().__init__(limit=_HEAD_LIMIT)
        self.left = asyncio.Event()

    def feed_eof(self) -> None:
        self.left.set()
        super().feed_eof()

    async def read_until(self, separator: bytes) -> bytes:
        return await self.readuntil(separator)


class Relay:
    """Answers in place of a service. `is_open` while callers should turn to it, `is_ready` while it is of use.

    `upstreams` yields those that may answer now, the best first; it is asked again after each that was lost.
    With `hides_memory` callers are told that what is here sees no memory of theirs. A connection is closed
    only after an answer that said so, or by its caller: who may still write on it is answered.
    """

    def __init__(
        self, upstreams: Callable[[], Iterator[Upstream]], callers: Callers, *, hides_memory: bool
    ) -> None:
        self.is_open = False
        self.is_ready = False
        self.hides_memory = hides_memory
        self._callers = callers
        self._upstreams = upstreams

    async def serve(self, reader: Incoming, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, in turn."""
        try:
            with self._callers.connected(peer_of(writer.transport)) as call:
                while await self._serve_one(call, reader, writer):
                    pass
        except _GONE:
            writer.transport.abort()
        finally:
            writer.close()

    async def _serve_one(self, call: Call, reader: Incoming, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await reader.readuntil(HEAD_END)
        except asyncio.IncompleteReadError:
            return False
        is_open = self._asked(head)
        if is_open is None:
            with self._callers.answering(call):
                return await self._answer(head, reader, writer)
        self._callers.asked(call, is_told=not is_open)
        writer.write(_said(head, is_open=is_open))
        await writer.drain()
        return is_open

    async def _answer(self, head: bytes, reader: Incoming, writer: asyncio.StreamWriter) -> bool:
        exchange = Exchange(
            head, reader, writer, hides_memory=self.hides_memory, is_last=lambda: not self.is_open
        )
        work = asyncio.ensure_future(self._exchange(exchange, writer))
        leaving = asyncio.ensure_future(reader.left.wait())
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and exchange.is_tunnel:
                await asyncio.wait((work,))
            return work.result() if work.done() else False
        finally:
            leaving.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work

    async def _exchange(self, exchange: Exchange, writer: asyncio.StreamWriter) -> bool:
        for upstream in self._upstreams():
            outcome = await exchange.attempt(upstream)
            if outcome is Outcome.LOST and not upstream.is_repeated:
                raise ConnectionResetError("the service ended before it answered")
            if outcome not in (Outcome.LOST, Outcome.ABSENT):
                return outcome is Outcome.KEPT
        writer.write(
            _plain(_CLOSED, b'{"error":{"kind":"service_down","message":"no replica answers"}}', _NO_UPSTREAM)
        )
        await writer.drain()
        return False

    def _asked(self, head: bytes) -> bool | None:
        """Say whether it is open, where that was asked; None for all else, which an upstream answers."""
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        says = {b"/healthz": True, b"/readyz": self.is_ready, b"/openz": self.is_open}
        return says.get(path) if method in (b"GET", b"HEAD") else None


class Outcome(enum.Enum):
    """How an attempt ended: ABSENT before it began, LOST before it was answered; else whether more may follow."""

    ABSENT = enum.auto()
    LOST = enum.auto()
    KEPT = enum.auto()
    OVER = enum.auto()


class Exchange:
    """One request and its answer. With `is_last` the answer says that no other follows on its connection."""

    def __init__(
        self,
        head: bytes,
        reader: Incoming,
        writer: asyncio.StreamWriter,
        *,
        hides_memory: bool,
        is_last: Callable[[], bool],
    ) -> None:
        self.is_tunnel = False
        self._is_last = is_last
        self._method = head.partition(b" ")[0]
        self._headers = headers_in(head)
        self._reader = reader
        self._writer = writer
        self._hides_memory = hides_memory
        self._body = BodyReader.of_request(reader, self._headers)
        self._kept: list[bytes] = [head]
        self._kept_bytes = len(head)

    async def attempt(self, upstream: Upstream) -> Outcome:
        """Have an upstream answer. Raises OSError when the request can not be made again."""
        try:
            pipe = await upstream.open()
        except OSError:
            return Outcome.ABSENT
        sending = asyncio.ensure_future(self._send(pipe))
        try:
            return await self._receive(pipe)
        except _GONE as error:
            if self._writer.is_closing() or not self._kept:
                raise ConnectionResetError("the answer was cut off") from error
            return Outcome.LOST
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending
            pipe.abort()

    async def _send(self, pipe: Pipe) -> None:
        for piece in list(self._kept):
            await pipe.send(piece)
        while piece := await self._body.next():
            self._keep(piece)
            await pipe.send(piece)

    def _keep(self, piece: bytes) -> None:
        self._kept_bytes += len(piece)
        if self._kept_bytes > KEPT_BYTES:
            self._kept = []
        elif self._kept:
            self._kept.append(piece)

    async def _receive(self, pipe: Pipe) -> Outcome:
        while True:
            head = await pipe.read_until(HEAD_END)
            status = int(head.split(b" ", 2)[1])
            if status == _SWITCHED:
                return await self._tunnel(head, pipe)
            if status not in _BODYLESS:
                break
            self._writer.write(head)
        headers = headers_in(head)
        body = BodyReader.of_answer(pipe, status, headers, self._method)
        is_told = await self._pass_on(self._told(head), headers, body, status)
        is_kept = self._body.is_done and not body.ends_by_closing
        says_close = b"close" in (
            headers.get(b"connection", b"").lower(),
            self._headers.get(b"connection", b"").lower(),
        )
        return Outcome.KEPT if is_kept and not says_close and not is_told else Outcome.OVER

    async def _pass_on(
        self, head: bytes, headers: Mapping[bytes, bytes], body: BodyReader, status: int
    ) -> bool:
        """Pass on an answer; returns whether it says that it is the last one."""
        is_counted = b"content-length" in headers or body.is_done
        is_small = int(headers.get(b"content-length", b"0") or 0) <= KEPT_BYTES
        pieces = await self._whole(body, status) if is_counted and is_small else None
        is_last = self._is_last()
        head = _closing(head) if is_last else head
        if pieces is None:
            await self._stream(head, body)
        else:
            self._writer.write(head + b"".join(pieces))
            await self._writer.drain()
        return is_last

    async def _whole(self, body: BodyReader, status: int) -> list[bytes]:
        """Return an answer once all of it is there: until then another upstream may give one."""
        pieces = []
        while piece := await body.next():
            pieces.append(piece)
        if status in _CLIENT_ERRORS and _NO_BUFFER in b"".join(pieces):
            raise ConnectionResetError("the request refers to memory that is not here")
        return pieces

    async def _stream(self, head: bytes, body: BodyReader) -> None:
        """Pass on an answer as it comes. What is cut off then, is cut off for the caller."""
        self._kept = []
        self._writer.write(head)
        while piece := await body.next():
            self._writer.write(piece)
            await self._writer.drain()

    async def _tunnel(self, head: bytes, pipe: Pipe) -> Outcome:
        """Pass on what is no HTTP any more, until one of the two ends it."""
        self.is_tunnel = True
        self._kept = []
        self._writer.write(head)
        caller = SocketPipe(self._reader, self._writer)
        ways = [asyncio.ensure_future(pour(*way)) for way in ((caller, pipe), (pipe, caller))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        return Outcome.OVER

    def _told(self, head: bytes) -> bytes:
        """Overwrite which memory the upstream sees: callers would refer to it in what they send to others here."""
        if not self._hides_memory or _SHARED not in self._headers:
            return head
        return _with_header(head, _SHARED, b"-")


async def pour(source: Source, sink: Pipe) -> None:
    """Send all that comes, then say that it is all; what breaks is cut off."""
    try:
        while data := await source.read(_PIECE):
            await sink.send(data)
        sink.finish()
    except _GONE:
        sink.abort()


async def join(one: Pipe, other: Pipe) -> None:
    """Pass on both ways until both have ended, then close both."""
    try:
        await asyncio.gather(pour(one, other), pour(other, one))
    finally:
        one.abort()
        other.abort()


def _closing(head: bytes) -> bytes:
    """Have a head say that nothing follows its answer."""
    return _with_header(head, b"connection", b"close")


def _with_header(head: bytes, name: bytes, value: bytes) -> bytes:
    first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
    others = [line for line in lines if line.partition(b":")[0].strip().lower() != name]
    return b"\r\n".join([first, *others, name + b": " + value]) + HEAD_END


def _said(head: bytes, *, is_open: bool) -> bytes:
    """Answer whether callers should turn here; one that should not is not to come again on this connection."""
    body = b'{"intercepted":true}'
    answer = _plain(_OK, body, _JSON) if is_open else _plain(_CLOSED, body, _JSON + _CLOSE)
    return answer[: -len(body)] if head.startswith(b"HEAD ") else answer


def _plain(status: int, body: bytes, headers: bytes) -> bytes:
    reason = b"OK" if status == _OK else b"Service Unavailable"
    return b"HTTP/1.1 %d %s\r\n%scontent-length: %d\r\n\r\n%s" % (status, reason, headers, len(body), body)
