"""Requests written to a service's socket in, its responses out."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import httptools

from chainctl.adapters.local.front_door.body import Body
from chainctl.adapters.local.front_door.heads import Headers, ResponseHead
from chainctl.adapters.local.front_door.link import Link

CONNECT_SEC = 10.0


class ServiceAbsent(ConnectionError):
    """Nothing listens on the service's socket."""


class ServiceLost(ConnectionError):
    """The service's connection ended before its answer.

    `was_unread` when the kernel says that the service never read the request.
    """

    def __init__(self, *, was_unread: bool) -> None:
        super().__init__("the service ended before it answered")
        self.was_unread = was_unread


@dataclass(frozen=True, slots=True)
class Response:
    """One response, whose body may still be arriving."""

    head: ResponseHead
    body: Body


class UpstreamLink(Link):
    """A connection to a service, one request at a time. The parser calls the methods named `on_…`."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: Body | None = None
        self.has_answered = False
        self._parser = httptools.HttpResponseParser(self)
        self._responses: deque[Response] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._current: Response | None = None
        self._is_head_request = False
        self._is_broken = False
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_head_open = False

    @property
    def is_reusable(self) -> bool:
        """Say whether another request may follow: the last answer is complete and nothing came after."""
        if self.is_lost or self._is_broken or self.raw is not None or self._responses:
            return False
        return self._current is None or (self._current.body.is_complete and self._current.head.is_keep_alive)

    def begin(self, method: bytes) -> None:
        """Make ready for the answer to one request."""
        self._parser = httptools.HttpResponseParser(self)
        self._is_head_request = method == b"HEAD"
        self._current = None
        self.has_answered = False

    async def next_response(self) -> Response:
        """Return the next response head, 1xx included. Raises ServiceLost."""
        while not self._responses:
            if self.is_lost:
                unread = isinstance(self.error, BrokenPipeError | ConnectionResetError)
                raise ServiceLost(was_unread=unread)
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._responses.popleft()

    def data_received(self, data: bytes) -> None:
        self.has_answered = True
        if self.raw is not None:
            return self.raw.feed(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._leave_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._give_up()

    def _leave_http(self, rest: bytes) -> None:
        self.raw = Body(self)
        if rest:
            self.raw.feed(rest)

    def _give_up(self) -> None:
        self._is_broken = True
        is_surplus = self._is_head_request or self._is_current_complete
        self.close() if is_surplus else self.abort()

    @property
    def _is_current_complete(self) -> bool:
        return self._current is not None and self._current.body.is_complete

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.raw is not None:
            self.raw.finish()
        if self._current is not None and self._current.body.is_open:
            self._end_body(exc)
        self._wake()

    def _end_body(self, exc: Exception | None) -> None:
        assert self._current is not None
        if self._current.head.ends_by_closing and exc is None and not self._is_broken:
            self._current.body.finish()
        else:
            self._current.body.fail("the service ended in mid-answer")

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def on_message_begin(self) -> None:
        if self._is_current_complete:
            self._is_broken = True
        self._reason = b""
        self._headers = []
        self._is_head_open = True

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_head_open:
            self._headers.append((name.lower(), value))
        elif self._current is not None:
            self._current.body.trailers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._is_head_open = False
        response = Response(self._head(), Body(self))
        if not response.head.is_informational:
            self._current = response
        if not response.head.has_body:
            response.body.finish()
        self._responses.append(response)
        self._wake()

    def _head(self) -> ResponseHead:
        status = self._parser.get_status_code()
        bodyless = self._is_head_request or status in (204, 304) or status < 200
        return ResponseHead(
            status=status,
            reason=self._reason,
            headers=Headers(self._headers),
            is_keep_alive=self._parser.should_keep_alive(),
            has_body=not bodyless,
        )

    def on_body(self, data: bytes) -> None:
        if self._current is not None and self._current.head.has_body:
            self._current.body.feed(data)
        else:
            self._is_broken = True

    def on_message_complete(self) -> None:
        if self._current is not None:
            self._current.body.finish()


async def connect(path: Path) -> UpstreamLink:
    """Open a connection to a service. Raises ServiceAbsent."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SEC):
            _, link = await loop.create_unix_connection(UpstreamLink, str(path))
    except (OSError, TimeoutError) as error:
        raise ServiceAbsent(str(error)) from error
    return link
