"""One request and the backend it was routed to in, one relayed answer out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from chainctl.adapters.local.front_door import answers, rewrite, upstream
from chainctl.adapters.local.front_door.answers import Refusal
from chainctl.adapters.local.front_door.body import Body
from chainctl.adapters.local.front_door.caller import CallerLink, Request
from chainctl.adapters.local.front_door.flights import Backend
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.tally import Tally
from chainctl.adapters.local.front_door.tunnel import carry_across
from chainctl.adapters.local.front_door.upload import Upload
from chainctl.adapters.local.front_door.upstream import (
    Response,
    ServiceAbsent,
    ServiceLost,
    UpstreamLink,
)

_REPEATABLE = frozenset([b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"])


class Exchange:
    """One request under way. After `run`, `link` is the connection to keep, None for none; it leads to `backend`."""

    def __init__(self, caller: CallerLink, request: Request, limits: DoorLimits) -> None:
        self.link: UpstreamLink | None = None
        self.backend: Backend | None = None
        self.status: int | None = None
        self.answered_at = 0.0
        self.is_broken = False
        self._caller = caller
        self._request = request
        self._limits = limits
        self._upload = Upload(request.body, is_chunked=request.head.is_chunked)

    async def run(
        self, backend: Backend, kept: UpstreamLink | None, head: bytes, spares: Iterable[Backend] = ()
    ) -> bool:
        """Relay the request and its answer; say whether the caller's connection lives on.

        Where nothing listens at the backend, and so nobody has read the request, the `spares` are asked.
        """
        self.backend = backend
        try:
            return await self._relay(await self._answer_of_any(backend, kept, head, spares))
        except ServiceAbsent:
            return await self.refuse(answers.SERVICE_ABSENT)
        except ServiceLost:
            return await self._refuse_lost()
        finally:
            self._upload.cancel()
            self._drop_link_unless_reusable()

    async def refuse(self, refusal: Refusal) -> bool:
        """Answer in place of a service; say whether the caller's connection lives on."""
        self._note(refusal.status)
        await self._upload.stop()
        head = self._request.head
        is_closing = not head.is_keep_alive or head.is_websocket or self._is_body_withheld
        self._caller.write([refusal.rendered(is_closing=is_closing, is_head=head.method == b"HEAD")])
        return await self._is_rest_read() and not is_closing

    async def _refuse_lost(self) -> bool:
        if self._caller.is_lost:
            return False
        is_ours = self._upload.lost is None
        return await self.refuse(answers.SERVICE_LOST if is_ours else answers.MALFORMED)

    async def _answer_of_any(
        self, backend: Backend, kept: UpstreamLink | None, head: bytes, spares: Iterable[Backend]
    ) -> Response:
        try:
            return await self._first_answer(backend, kept, head)
        except ServiceAbsent:
            for spare in spares:
                self.backend = spare
                try:
                    return await self._first_answer(spare, None, head)
                except ServiceAbsent:
                    continue
            raise

    async def _first_answer(self, backend: Backend, kept: UpstreamLink | None, head: bytes) -> Response:
        """Ask on the kept connection; on a fresh one when that had gone stale."""
        if kept is not None:
            try:
                return await self._ask(kept, head)
            except ServiceLost as lost:
                if not self._may_repeat(kept, lost):
                    raise
        return await self._ask(await upstream.connect(backend.socket), head)

    async def _ask(self, link: UpstreamLink, head: bytes) -> Response:
        """Return the first answer that is not informational, or the one that leaves HTTP."""
        await self._upload.stop()
        self.link = link
        link.begin(self._request.head.method)
        self._send(link, head)
        response = await link.next_response()
        while response.head.is_informational and response.head.status != 101:
            if self._request.head.version != "1.0":
                self._caller.write([rewrite.informational_bytes(response.head)])
            response = await link.next_response()
        return response

    def _send(self, link: UpstreamLink, head: bytes) -> None:
        try:
            self._upload.start(link, head)
        except ConnectionResetError as error:
            raise ServiceLost(was_unread=True) from error

    def _may_repeat(self, link: UpstreamLink, lost: ServiceLost) -> bool:
        """A request may be sent twice when nobody read it, or when twice is as good as once."""
        is_harmless = lost.was_unread or self._request.head.method in _REPEATABLE
        return is_harmless and not link.has_answered and self._upload.is_replayable

    def _note(self, status: int) -> None:
        self.status, self.answered_at = status, monotonic()

    async def _relay(self, response: Response) -> bool:
        self._note(response.head.status)
        if response.head.status == 101:
            return await self._leave_http(response)
        is_chunked = response.head.is_chunked and self._request.head.version == "1.1"
        is_unframed = response.head.has_body and not is_chunked and not response.head.has_length
        lives_on = self._request.head.is_keep_alive and not is_unframed
        lives_on = lives_on and not self._request.head.is_websocket and not self._is_body_withheld
        self._caller.write(
            [
                rewrite.response_bytes(
                    response.head,
                    is_chunked=is_chunked,
                    connection=self._connection(lives_on=lives_on),
                )
            ]
        )
        if not await self._relay_body(response.body, is_chunked=is_chunked, is_framed=not is_unframed):
            return False
        return await self._is_rest_read() and lives_on

    def _connection(self, *, lives_on: bool) -> bytes | None:
        if not lives_on:
            return b"close"
        return b"keep-alive" if self._request.head.version == "1.0" else None

    def _break_off(self, *, is_framed: bool) -> None:
        """End the connection in mid-answer. A reset takes away what the caller has not read yet, so it is for
        those only who can not tell an answer that is too short."""
        if is_framed:
            self._caller.close()
        else:
            self._caller.reset()

    async def _relay_body(self, body: Body, *, is_chunked: bool, is_framed: bool) -> bool:
        """Copy the body. An answer that breaks off breaks off for the caller too."""
        try:
            while data := await body.read():
                parts = [b"%x\r\n" % len(data), data, b"\r\n"] if is_chunked else [data]
                self._caller.write(parts)
                await self._caller.drain()
        except ConnectionError:
            self.is_broken = not self._caller.is_lost
            self._break_off(is_framed=is_framed)
            return False
        if is_chunked:
            self._caller.write([rewrite.trailer_bytes(body.trailers)])
        return True

    async def _leave_http(self, response: Response) -> bool:
        link, sent = self.link, self._caller.raw
        if link is None or link.raw is None or sent is None:
            return await self.refuse(answers.SERVICE_LOST)
        self._caller.write([rewrite.informational_bytes(response.head)])
        self._caller.on_leave = _stay
        await carry_across(self._caller, sent, link, link.raw)
        return False

    @property
    def _is_body_withheld(self) -> bool:
        """Say whether the caller may never send its body, as it waits for a 100 Continue."""
        return self._request.head.expects_continue and self._request.body.is_open

    async def _is_rest_read(self) -> bool:
        """Read what is left of a body that nobody wants, so that the answer is not lost to a reset."""
        if self._upload.is_done:
            return True
        await self._upload.stop()
        left = self._limits.linger_bytes
        try:
            async with asyncio.timeout(self._limits.linger_sec):
                while left > 0 and (data := await self._request.body.read()):
                    left -= len(data)
        except (TimeoutError, ConnectionError):
            return False
        return left > 0

    def _drop_link_unless_reusable(self) -> None:
        if self.link is None or (self._upload.is_done and self.link.is_reusable):
            return
        self.link.close() if self.link.raw is not None else self.link.abort()
        self.link = None


@contextmanager
def counted(exchange: Exchange, tally: Tally) -> Iterator[None]:
    """Count one exchange, unless its caller leaves before there is an answer."""
    begun = monotonic()
    tally.begin()
    try:
        yield
    finally:
        if exchange.status is not None:
            tally.end(exchange.status, exchange.answered_at - begun, is_broken=exchange.is_broken)


def _stay() -> None:
    """Let the tunnel itself notice that the caller left: what it sent last still goes across."""
