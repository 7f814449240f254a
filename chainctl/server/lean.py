"""Bytes of HTTP/1.1 calls in, answers out: a lean protocol on httptools, for the chain's own services and plain calls.

It takes one request at a time from a connection, receives large bodies into one buffer, writes
answers without joining their parts, and cancels the work when its caller goes away. Whoever brings
anything else gets uvicorn instead (see `reception`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, Optional

import httptools

from chainctl.calls.answer import Buffer
from chainctl.calls.receive_buffer import DIRECT_BYTES, new_buffer
from chainctl.server.service import RUN, ChainletService, media_of, refuse
from chainctl.wire.fault import user_frames
from chainctl.wire.media import STREAM
from chainctl.worker.worker import Reply

_LOG = logging.getLogger("chainctl.server")
_MOST_HEAD_BYTES = 64 * 1024
_JOINED_BYTES = 64 * 1024
_HIGH_WATER = 1 << 20
_LINGER_SEC = 2.0
_IDLE_SEC = 75.0  # more than a client of ours keeps a connection that it does not use
_REQUEST_SEC = 600.0
_MOST_UNWANTED_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"connection: close\r\n"
_KNOWN = frozenset(HTTPStatus)
_CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


class _Pipelined(Exception):
    """A request began before the last one was answered."""


class LeanConnection(asyncio.BufferedProtocol):
    """One connection.

    `scratch` is shared by the connections of a loop; `leave` is called when the connection is over,
    `tasks` holds the work under way, so that a drain can wait for it.
    """

    def __init__(
        self,
        service: ChainletService,
        loop: asyncio.AbstractEventLoop,
        scratch: memoryview,
        tasks: set[asyncio.Task[None]],
        leave: Callable[[Any], None],
    ) -> None:
        self._service = service
        self._loop = loop
        self._scratch = scratch
        self._tasks = tasks
        self._leave = leave
        self._transport: Any = None
        self._parser: Any = None
        self._task: Optional[asyncio.Task[None]] = None
        self._can_write: Optional[asyncio.Future[None]] = None
        self._release: Optional[Callable[[], None]] = None
        self._is_lost = False
        self._is_closing = False
        self._is_deaf = False
        self._reset()

    def _reset(self) -> None:
        self._since = time.monotonic()
        self._url = b""
        self._path = self._query = ""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._has_head = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._length = -1
        self._direct: Optional[memoryview] = None
        self._filled = 0
        self._upload: Optional[_Upload] = None
        self._refusal: Optional[Reply] = None
        self._keep = True
        self._verb = ""

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch if self._direct is None else self._direct[self._filled :]

    def buffer_updated(self, count: int) -> None:
        if self._direct is not None:
            self._filled += count
            if self._filled == self._length:
                self._start(self._direct)
        else:
            self.feed(self._scratch[:count])

    def feed(self, data: Buffer) -> None:
        """Take bytes that were read elsewhere, or into the scratch buffer."""
        if self._is_deaf:
            return
        if self._task is not None and self._upload is None:
            self._is_closing = True  # a next request before this one was answered: it has to come again
            return
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(refuse(400, "malformed", "upgrades are not taken here"))
        except httptools.HttpParserError as error:
            if not isinstance(error.__context__, _Pipelined):
                self._refuse(refuse(400, "malformed", f"the request is no HTTP: {error}"))
        if not self._has_head and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(_headers_too_large())
        elif self._task is None and not self._is_closing and self._length - self._size > DIRECT_BYTES:
            self._receive_in_place()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._is_lost = True
        self.resume_writing()
        if self._upload is not None:
            self._upload.break_off()
        if self._task is not None:
            self._task.add_done_callback(self._tasks.discard)  # one that never ran does not do it itself
            self._task.cancel()
        self._released()
        self._leave(self)

    def pause_writing(self) -> None:
        if self._can_write is None:
            self._can_write = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._can_write is not None:
            self._can_write.set_result(None)
            self._can_write = None

    def close_if_stale(self, now: float) -> None:
        """Hang up on a sender that is silent between two requests, or in the middle of one."""
        if self._task is None and now - self._since > (_REQUEST_SEC if self._has_head else _IDLE_SEC):
            self._hang_up()

    def shutdown(self) -> None:
        """Take no further request; an idle connection ends now, a busy one after its answer."""
        self._is_closing = True
        if self._task is None and self._transport is not None:
            self._transport.close()

    # --- what the parser calls ---

    def on_message_begin(self) -> None:
        if self._task is not None:
            self._is_closing = True
            raise _Pipelined  # it would be mixed up with the one that is being answered

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._has_head = True
        self._released()
        self._verb = self._parser.get_method().decode("latin-1")
        path, _, query = self._url.partition(b"?")
        self._path, self._query = path.decode("latin-1"), query.decode("latin-1")
        length = self._headers.get(b"content-length", b"")
        self._length = int(length) if length.isdigit() else -1
        self._refusal = self._refused()
        if self._refusal is None and self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(_CONTINUE)
        if self._refusal is not None and self._length > DIRECT_BYTES:
            self._refuse(self._refusal)
        elif self._refusal is None and media_of(self._headers) == STREAM:
            self._upload = _Upload(self._transport)
            self._start(b"", self._upload.chunks())

    def on_body(self, body: bytes) -> None:
        if self._is_closing and self._task is None:
            return
        if self._upload is not None:
            self._upload.put(body)
            return
        self._size += len(body)
        if self._refusal is not None:  # what a stranger sends is not kept
            if self._size > _MOST_UNWANTED_BYTES:
                self._refuse(self._refusal)
            return
        self._chunks.append(body)
        if self._size > self._body_limit():
            self._refuse(self._service.too_large())

    def on_message_complete(self) -> None:
        if self._upload is not None:
            self._upload.end()
        elif self._task is None and not self._is_deaf and not self._transport.is_closing():
            self._start(self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))

    # --- inside ---

    def _refused(self) -> Optional[Reply]:
        if self._head_bytes > _MOST_HEAD_BYTES and self._parsed_bytes() > _MOST_HEAD_BYTES:
            return _headers_too_large()
        refusal = self._service.refusal(self._verb, self._path, self._headers)
        if refusal is None and self._length > self._body_limit():
            return self._service.too_large()
        return refusal

    def _body_limit(self) -> int:
        """How many bytes of a body are kept: health probes and the like have none."""
        return self._service.body_limit if self._path.endswith(RUN) else _MOST_UNWANTED_BYTES

    def _parsed_bytes(self) -> int:
        """The length of the head alone: what came with it may be body."""
        return len(self._url) + sum(len(name) + len(value) for name, value in self._headers.items())

    def _receive_in_place(self) -> None:
        direct = new_buffer(self._length)
        for chunk in self._chunks:
            direct[self._filled : self._filled + len(chunk)] = chunk
            self._filled += len(chunk)
        self._chunks.clear()
        self._direct = direct
        self._keep = self._parser.should_keep_alive()
        self._parser = None

    def _start(self, body: Buffer, chunks: Optional[AsyncIterator[Buffer]] = None) -> None:
        if self._parser is not None:
            self._keep = self._parser.should_keep_alive()
        self._direct = None
        self._task = task = self._loop.create_task(self._serve(body, chunks))
        self._tasks.add(task)

    async def _serve(self, body: Buffer, chunks: Optional[AsyncIterator[Buffer]]) -> None:
        """Answer, and be ready for the next request in the same step: it may come at once."""
        is_answered = False
        try:
            reply = self._refusal
            if reply is None:
                reply = await self._service.answer(self._path, self._headers, body, chunks, self._query)
            await self._write(reply)
            is_answered = True
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever broke off is logged, and the connection ends
            if not self._is_lost and user_frames(error):  # who ran the user's code has told of it
                _LOG.error("an answer broke off: %s", type(error).__name__)
            elif not self._is_lost:
                _LOG.exception("an answer broke off")
        finally:
            self._served(is_answered=is_answered)

    def _served(self, *, is_answered: bool) -> None:
        if self._task is not None:
            self._tasks.discard(self._task)
        self._task = None
        if self._is_lost:
            return
        if not is_answered:
            self._hang_up()
        elif not self._is_read():
            self._linger()
        elif self._is_closing or not self._keep:
            self._transport.close()
        else:
            self._reset()

    def _is_read(self) -> bool:
        return self._upload is None or self._upload.is_over

    def _linger(self) -> None:
        """Close when the sender has had time to read the answer.

        Closing with bytes unread would reset the connection, and the answer might be lost with it.
        """
        self._is_deaf = self._is_closing = True
        if self._upload is not None:
            self._upload.drop()
        self._loop.call_later(_LINGER_SEC, self._transport.close)

    async def _write(self, reply: Reply) -> None:
        parts = reply.parts
        head = _head(reply) if self._keep and not self._is_closing else _head(reply) + _CLOSE
        if parts is not None:
            size = sum(map(len, parts))
            head += b"content-length: %d\r\n\r\n" % size
            parts = () if self._verb == "HEAD" else parts
            self._release = reply.release
            if size < _JOINED_BYTES:
                self._transport.write(b"".join([head, *parts]))
            else:
                await self._write_large([head, *parts])
            return
        self._transport.write(head + _CHUNKED)
        await self._write_chunks(reply)

    async def _write_chunks(self, reply: Reply) -> None:
        """Write a body as it comes; an error in it breaks the connection, so that nobody takes it for whole."""
        chunks: Any = reply.body
        try:
            async for chunk in chunks:
                if chunk:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    await self._drained()
            self._transport.write(b"0\r\n\r\n")
        finally:
            if hasattr(chunks, "aclose"):
                await chunks.aclose()

    async def _write_large(self, parts: list[Buffer]) -> None:
        """Write parts and wait until all of them are gone: user code may change its arrays then."""
        self._transport.set_write_buffer_limits(0)
        try:
            self._transport.writelines(parts)
            await self._drained()
        finally:
            self._transport.set_write_buffer_limits()

    async def _drained(self) -> None:
        """Wait while the caller does not read."""
        while self._can_write is not None and not self._is_lost:
            await self._can_write

    def _refuse(self, reply: Reply) -> None:
        """Answer at once, and close when the sender has had time to read it."""
        if self._is_closing and self._task is None:
            return
        self._is_closing = True
        if self._task is not None:
            self._hang_up()
            return
        body = b"".join(reply.parts or ())
        self._transport.write(_head(reply) + _CLOSE + b"content-length: %d\r\n\r\n" % len(body) + body)
        self._linger()

    def _hang_up(self) -> None:
        self._transport.abort()

    def _released(self) -> None:
        """Free what the last answer held: its reader has it, as it asks for more."""
        if self._release is not None:
            self._release()
            self._release = None


def _headers_too_large() -> Reply:
    return refuse(431, "headers_too_large", f"the headers exceed {_MOST_HEAD_BYTES} bytes")


def _head(reply: Reply) -> bytes:
    head = _status_head(reply.status, reply.content_type)
    for name, value in reply.headers.items():
        head += f"{name}: {value}\r\n".encode("latin-1")
    return head


@functools.lru_cache(256)
def _status_head(status: int, content_type: str) -> bytes:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Status"
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\n".encode("latin-1")


class _Upload:
    """The body of a request as it comes; its sender is held back while nobody reads."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._is_paused = False
        self._is_broken = False
        self._waiter: Optional[asyncio.Future[None]] = None
        self.is_over = False

    def drop(self) -> None:
        """Forget what came, and let the sender go on: nobody reads any more."""
        self._queue.clear()
        self._queued = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def put(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        if self._queued > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def end(self) -> None:
        self.is_over = True
        self._wake()

    def break_off(self) -> None:
        self._is_broken = True
        self._wake()

    async def chunks(self) -> AsyncIterator[Buffer]:
        while True:
            while self._queue:
                data = self._queue.popleft()
                self._queued -= len(data)
                if self._is_paused and self._queued < _HIGH_WATER // 2:
                    self._is_paused = False
                    self._transport.resume_reading()
                yield data
            if self.is_over:
                return
            if self._is_broken:
                raise ConnectionError("the caller went away in the middle of its request")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
