"""One request at a time in, its answer out: a client's connection as an asyncio protocol on httptools.

Large bodies are received into one buffer of their length, past the parser. The other side is held
back when a stream is not read.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Optional, cast

import httptools

from chainctl.calls.answer import Answer, BrokenAnswerError, Buffer, NotSentError, Parts
from chainctl.calls.lazy_alarm import LazyAlarm
from chainctl.calls.receive_buffer import DIRECT_BYTES, new_buffer

_HIGH_WATER = 1 << 20
_JOINED_BYTES = 64 * 1024
_MOST_BYTES = 1 << 31


class ClientConnection(asyncio.BufferedProtocol):
    """Sends a request and parses one answer, whole or as it comes.

    `scratch` is what the loop reads into; connections of one loop share it, because it is emptied
    in the same step in which it is filled.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, scratch: memoryview) -> None:
        self._loop = loop
        self._scratch = scratch
        self._transport: Any = None
        self._lost = False
        self._parser: Any = None
        self._can_write: Optional[asyncio.Future[None]] = None
        self._alarm = LazyAlarm(loop, self._expire)
        self.was_used = False
        self._reset(streamed=False)

    def _reset(self, *, streamed: bool) -> None:
        self._answer = Answer(0)
        self._streamed = streamed
        self._chunks: deque[bytes] = deque()
        self._queued = 0
        self._direct: Optional[memoryview] = None
        self._filled = 0
        self._length = -1
        self._got_bytes = False
        self._complete = False
        self._keep_alive = True
        self._paused = False
        self._waiter: Optional[asyncio.Future[None]] = None
        self._ready: Optional[asyncio.Future[None]] = None

    # --- what the client calls ---

    @property
    def is_open(self) -> bool:
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    @property
    def can_be_reused(self) -> bool:
        return self.is_open and self._complete and self._keep_alive

    def exchange(self, head: bytes, parts: Parts, deadline: Optional[float]) -> Awaitable[Answer]:
        """Send a request, return its whole answer (of 2 GiB at most).

        Raises NotSentError, BrokenAnswerError, TimeoutError at the deadline (of the loop's clock).
        """
        return self._asked(head, parts, deadline, streamed=False)

    def open(self, head: bytes, parts: Parts, deadline: Optional[float]) -> Awaitable[Answer]:
        """Send a request, or the head of one; return the head of its answer. Read on with `chunks`.

        Raises what `exchange` raises.
        """
        return self._asked(head, parts, deadline, streamed=True)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises BrokenAnswerError when it ends early."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._queued -= len(chunk)
                self._resume_if_drained()
                yield chunk
            if self._complete:
                return
            if self._lost:
                raise BrokenAnswerError("the connection ended in the middle of the answer")
            self._waiter = self._loop.create_future()
            await self._waiter

    async def write(self, parts: Parts) -> None:
        """Send more of a request's body; waits while the other side does not read.

        Raises BrokenAnswerError when the connection is gone.
        """
        if not self.is_open:
            raise BrokenAnswerError("the connection ended in the middle of the request")
        self._transport.writelines(parts)
        while self._can_write is not None and not self._lost:
            await asyncio.shield(self._can_write)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch if self._direct is None else self._direct[self._filled :]

    def buffer_updated(self, count: int) -> None:
        if self._direct is not None:
            self._filled += count
            if self._filled == self._length:
                self._finish()
            return
        if self._parser is None or self._complete:
            self.close()
            return
        if not self._got_bytes:
            self._got_bytes = True
            self._answer.first_byte_at = time.monotonic()
        try:
            self._parser.feed_data(self._scratch[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BrokenAnswerError(f"the answer is no HTTP: {error}"))
            self.close()
            return
        if not self._streamed and max(self._length, self._queued) > _MOST_BYTES:
            self._fail(BrokenAnswerError(f"the answer is larger than the limit of {_MOST_BYTES} bytes"))
            self.close()
        elif not self._streamed and self._length - self._queued > DIRECT_BYTES:
            self._receive_in_place()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._lost = True
        self._alarm.cancel()
        if self._can_write is not None:
            self._can_write.set_result(None)
            self._can_write = None
        if self._ready is None or self._complete:
            return
        if exc is None and self._ends_with_connection():
            self._finish()
        else:
            self._fail(self._why_lost(exc))
        self._wake()

    def pause_writing(self) -> None:
        self._can_write = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._can_write is not None:
            self._can_write.set_result(None)
            self._can_write = None

    # --- what the parser calls ---

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("bytes follow the answer")  # they would change it

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            raise ValueError(f"{status} is no status")  # less than an error, it would pass for a result
        if status < 200:
            return
        self._answer.status = status
        self._keep_alive = self._parser.should_keep_alive()
        self._length = _length(self._answer.headers)
        if self._streamed:
            self._resolve()

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._queued += len(body)
        if self._streamed and self._queued > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._answer.status == 0:
            self._answer.headers.clear()
            return
        self._finish()

    # --- inside ---

    async def _asked(self, head: bytes, parts: Parts, deadline: Optional[float], *, streamed: bool) -> Answer:
        if not self.is_open:
            raise NotSentError("the connection was closed while it was idle")
        self._reset(streamed=streamed)
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        ready = self._ready = self._loop.create_future()
        if deadline is not None:
            self._alarm.set(deadline)
        self._send(head, parts)
        try:
            await ready
        except BaseException:
            self.close()
            raise
        finally:
            self._alarm.unset()
        return self._answer

    def _send(self, head: bytes, parts: Parts) -> None:
        """Write a small request in one piece and a large one as it is."""
        if sum(map(len, parts)) < _JOINED_BYTES:
            self._transport.write(b"".join([head, *parts]))
        else:
            self._transport.writelines([head, *parts])

    def _receive_in_place(self) -> None:
        self._direct = new_buffer(self._length)
        for chunk in self._chunks:
            self._direct[self._filled : self._filled + len(chunk)] = chunk
            self._filled += len(chunk)
        self._chunks.clear()
        self._parser = None

    def _finish(self) -> None:
        self._complete = True
        if not self._streamed:
            self._answer.body = self._body()
            self._direct = None
        self._resolve()

    def _body(self) -> Buffer:
        if self._direct is not None:
            return self._direct
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _why_lost(self, exc: Optional[Exception]) -> ConnectionError:
        """A reset before any answer says that the request was not read; a mere end or a lost machine does not."""
        if self._got_bytes:
            return BrokenAnswerError("the connection ended in the middle of the answer")
        if self.was_used and isinstance(exc, ConnectionError):
            return NotSentError("the connection was closed while it was idle")
        return BrokenAnswerError("the connection was closed before any answer")

    def _ends_with_connection(self) -> bool:
        headers = self._answer.headers
        framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "")
        return self._answer.status != 0 and not framed

    def _expire(self) -> None:
        self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()

    def _resolve(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume_if_drained(self) -> None:
        if self._paused and self._queued < _HIGH_WATER // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()


def _length(headers: dict[str, str]) -> int:
    """The announced length of a body in bytes, -1 where it comes in chunks or until the end."""
    text = headers.get("content-length", "")
    return int(text) if text.isdigit() else -1
