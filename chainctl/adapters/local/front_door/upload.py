"""A request's body in, the same bytes on a service's connection out, twice if the first was stale."""

from __future__ import annotations

import asyncio

from chainctl.adapters.local.front_door.body import Body, BodyLost
from chainctl.adapters.local.front_door.link import Link

REPLAY_BYTES = 64 * 1024


class Upload:
    """Sends one body. The first REPLAY_BYTES are kept so that it can be sent again."""

    def __init__(self, body: Body, *, is_chunked: bool) -> None:
        self.is_done = False
        self.lost: BodyLost | None = None
        self._body = body
        self._is_chunked = is_chunked
        self._kept = b""
        self._is_replayable = True
        self._task: asyncio.Task[None] | None = None

    @property
    def is_replayable(self) -> bool:
        return self._is_replayable and self.lost is None

    def start(self, link: Link, head: bytes) -> None:
        """Write the head, what is there of the body, and the rest of it as it arrives."""
        self.is_done = False
        link.write([head, *self._framed(self._kept), *self._framed(self._next())])
        if self._body.is_complete:
            self._finish(link)
        else:
            self._task = asyncio.create_task(self._stream(link))

    def cancel(self) -> None:
        """Stop sending soon."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Stop sending. Nothing of this upload runs after it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _stream(self, link: Link) -> None:
        try:
            await link.drain()
            while data := await self._body.read():
                self._keep(data)
                link.write(self._framed(data))
                await link.drain()
            self._finish(link)
        except BodyLost as lost:
            self.lost = lost
            link.abort()
        except ConnectionError:
            return

    def _finish(self, link: Link) -> None:
        if self._is_chunked:
            link.write([b"0\r\n\r\n"])
        self.is_done = True

    def _next(self) -> bytes:
        data = self._body.take()
        self._keep(data)
        return data

    def _keep(self, data: bytes) -> None:
        if len(self._kept) + len(data) > REPLAY_BYTES:
            self._kept, self._is_replayable = b"", False
        elif self._is_replayable:
            self._kept += data

    def _framed(self, data: bytes) -> list[bytes]:
        if not data or not self._is_chunked:
            return [data]
        return [b"%x\r\n" % len(data), data, b"\r\n"]
