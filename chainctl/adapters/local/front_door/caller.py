"""Bytes from a caller in, its requests one after another out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from chainctl.adapters.local.front_door import answers
from chainctl.adapters.local.front_door.answers import Refusal
from chainctl.adapters.local.front_door.body import Body
from chainctl.adapters.local.front_door.heads import Headers, RequestHead
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.link import Link

_QUEUED_REQUEST_COST = 32 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whose body may still be arriving."""

    head: RequestHead
    body: Body


class CallerLink(Link):
    """A caller's connection. The parser's callbacks are the methods named `on_…`."""

    def __init__(self, limits: DoorLimits, welcome: Callable[[CallerLink], None]) -> None:
        super().__init__()
        self.raw: Body | None = None
        self.on_leave: Callable[[], object] = _stay
        self._limits = limits
        self._welcome = welcome
        self._parser = httptools.HttpRequestParser(self)
        self._requests: deque[Request | Refusal] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._body: Body | None = None
        self._waiting_since = 0.0
        self._is_idle = True
        self._is_head_open = False
        self._is_deaf = False
        self._is_hiding_upgrade = False
        self._is_resuming = False
        self._head_size = 0
        self._fed_size = 0
        self._target = b""
        self._framing = b""
        self._headers: list[tuple[bytes, bytes]] = []

    async def next_request(self) -> Request | Refusal | None:
        """Return the next request, what to answer to bytes that are none, None after the last."""
        self._waiting_since = asyncio.get_running_loop().time()
        self._is_idle = True
        while not self._requests:
            if self.is_lost:
                return None
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        self._is_idle = False
        self.gave(_QUEUED_REQUEST_COST)
        return self._requests.popleft()

    @property
    def is_idle(self) -> bool:
        """Say whether nothing was asked that is not answered."""
        return self._is_idle and not self._is_head_open and not self._requests

    def check_time(self, now: float) -> None:
        """Refuse a caller who is too slow, close a connection that was idle for too long."""
        waited = now - self._waiting_since
        if self._is_head_open and self._is_idle and waited > self._limits.head_sec:
            self._refuse(answers.HEAD_TOO_SLOW)
        elif self.is_idle and waited > self._limits.idle_sec:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._waiting_since = asyncio.get_running_loop().time()
        self._welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.raw is not None:
            self.raw.finish()
        if self._body is not None:
            self._body.fail("the caller went away")
        self._wake()
        self.on_leave()

    def data_received(self, data: bytes) -> None:
        if self.raw is not None:
            self.raw.feed(data)
        elif not self._is_deaf:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._leave_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(answers.MALFORMED)
        if self._is_head_open:
            self._fed_size += len(data)
            if self._fed_size > self._limits.head_bytes:
                self._refuse(answers.HEAD_TOO_LARGE)

    def _leave_http(self, rest: bytes) -> None:
        if not self._is_hiding_upgrade:
            self.raw = Body(self)
            if rest:
                self.raw.feed(rest)
            return
        self._is_hiding_upgrade = False
        self._resume_http(rest)

    def _resume_http(self, rest: bytes) -> None:
        """Go on as if no upgrade had been offered: the parser skips the body of one that was."""
        self._parser = httptools.HttpRequestParser(self)
        self._is_resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % self._framing)
        self._is_resuming = False
        if rest:
            self._parse(rest)

    def _refuse(self, refusal: Refusal) -> None:
        if self._is_deaf:
            return
        self._is_deaf = True
        self._is_head_open = False
        if self._body is not None and self._body.is_open:
            self._body.fail(refusal.message)
        else:
            self._push(refusal)

    def _push(self, item: Request | Refusal) -> None:
        self._requests.append(item)
        self.took(_QUEUED_REQUEST_COST)
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def on_message_begin(self) -> None:
        if self._is_resuming or self._is_deaf:
            return
        if self._is_idle:
            self._waiting_since = asyncio.get_running_loop().time()
        self._is_head_open = True
        self._head_size = self._fed_size = 0
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        if not self._is_resuming:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_head_open:
            self._head_size += len(name) + len(value) + 4
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._is_resuming or self._is_deaf:
            return
        self._is_head_open = False
        head = self._head()
        if (refusal := self._refusal_of(head)) is not None:
            return self._refuse(refusal)
        self._is_hiding_upgrade = head.is_upgrade and not head.is_websocket
        self._framing = _framing_of(head)
        self._body = Body(self)
        self._push(Request(head, self._body))

    def _head(self) -> RequestHead:
        return RequestHead(
            method=self._parser.get_method(),
            target=self._target,
            version=self._parser.get_http_version(),
            headers=Headers(self._headers),
            is_keep_alive=self._parser.should_keep_alive(),
            is_upgrade=self._parser.should_upgrade(),
        )

    def _refusal_of(self, head: RequestHead) -> Refusal | None:
        if self._head_size + len(head.target) > self._limits.head_bytes:
            return answers.HEAD_TOO_LARGE
        if head.version not in ("1.0", "1.1"):
            return answers.WRONG_VERSION
        if head.method == b"CONNECT":
            return answers.NO_TUNNELS
        if head.has_unknown_coding:
            return answers.UNKNOWN_CODING
        if head.is_websocket and head.has_body:
            return answers.MALFORMED
        return None

    def on_body(self, data: bytes) -> None:
        if self._body is not None and not self._is_deaf:
            self._body.feed(data)

    def on_message_complete(self) -> None:
        if self._body is not None and not self._is_hiding_upgrade and not self._is_deaf:
            self._body.finish()


def _stay() -> None:
    """Do nothing when a caller leaves before anybody listens for it."""


def _framing_of(head: RequestHead) -> bytes:
    if head.is_chunked:
        return b"transfer-encoding: chunked\r\n"
    length = head.content_length
    return b"" if length is None else b"content-length: %s\r\n" % length
