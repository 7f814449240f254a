"""A byte stream between two processes in; many streams over it, each with a flow of its own, out.

It runs in the stand-in of a chain as well, so it needs the standard library only, and Python 3.10.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

HEARTBEAT_SEC = 1.0
LOST_SEC = 8.0
"""So long nothing is heard before the other side counts as gone: its machine may sleep, or the network be cut."""
_FRAME = struct.Struct(">BII")
_PIECE = 64 * 1024
_WINDOW = 1024 * 1024
_MOST = 4 * 1024 * 1024
_OPEN, _DATA, _EOF, _RESET, _WINDOW_MORE, _PING, _SAY = range(7)
Said = dict[str, Any]


class Channel:
    """One stream. What was sent and not read yet is bounded, so that a slow one does not stop the others."""

    def __init__(self, mux: Mux, number: int, target: str) -> None:
        self.target = target
        self._mux = mux
        self._number = number
        self._reader = asyncio.StreamReader(limit=_WINDOW * 2)
        self._credit = _WINDOW
        self._has_credit = asyncio.Event()
        self._has_credit.set()
        self._unread = 0
        self._error: Exception | None = None

    async def read(self, most: int) -> bytes:
        """Wait for bytes; none at the end. Raises ConnectionResetError when it was cut off."""
        return self._took(await self._reader.read(most))

    async def read_until(self, separator: bytes) -> bytes:
        """Raises asyncio.IncompleteReadError when it ends before, ConnectionResetError when it was cut off."""
        return self._took(await self._reader.readuntil(separator))

    async def send(self, data: bytes) -> None:
        """Send bytes as the other side takes them. Raises ConnectionResetError when it was cut off."""
        view = memoryview(data)
        while view:
            await self._has_credit.wait()
            if self._error is not None:
                raise self._error
            size = min(len(view), self._credit, _PIECE)
            self._credit -= size
            if not self._credit:
                self._has_credit.clear()
            await self._mux.send(_DATA, self._number, bytes(view[:size]))
            view = view[size:]

    def finish(self) -> None:
        """Say that no more bytes come."""
        if self._error is None:
            self._mux.post(_EOF, self._number)

    def abort(self) -> None:
        """Cut it off, for both sides."""
        if self._error is None:
            self._mux.post(_RESET, self._number)
            self.fail()

    def feed(self, data: bytes) -> None:
        self._unread += len(data)
        self._reader.feed_data(data)

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def more(self, credit: int) -> None:
        self._credit += credit
        self._has_credit.set()

    def fail(self) -> None:
        """Note that it was cut off."""
        if self._error is None:
            self._error = ConnectionResetError("the stream was cut off")
            self._reader.set_exception(self._error)
            self._has_credit.set()
            self._mux.forget(self._number)

    def _took(self, data: bytes) -> bytes:
        if data and self._error is None:
            self._mux.post(_WINDOW_MORE, self._number, struct.pack(">I", len(data)))
        return data


class Mux:
    """Both sides have one. `opened` is called with what the other side opens, `heard` with what it says.

    `is_first` is true on one side: it numbers its streams with odd numbers.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_first: bool,
        opened: Callable[[Channel], Awaitable[None]],
        heard: Callable[[Said], None],
    ) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._opened = opened
        self._heard = heard
        self._next = 1 if is_first else 2
        self._channels: dict[int, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Lock()

    def start(self) -> None:
        """Begin to listen and to be heard."""
        self._run(self._listen())
        self._run(self._beat())

    def open(self, target: str) -> Channel:
        """Open a stream to what the other side knows by that name. Raises ConnectionResetError."""
        if self.closed.is_set():
            raise ConnectionResetError("the link is down")
        channel = self._channels[self._next] = Channel(self, self._next, target)
        self.post(_OPEN, self._next, target.encode())
        self._next += 2
        return channel

    def say(self, what: Said) -> None:
        """Tell the other side something that belongs to no stream."""
        self.post(_SAY, 0, json.dumps(what).encode())

    def post(self, kind: int, number: int, data: bytes = b"") -> None:
        if not self.closed.is_set():
            self._writer.write(_FRAME.pack(kind, number, len(data)) + data)

    async def send(self, kind: int, number: int, data: bytes) -> None:
        self.post(kind, number, data)
        async with self._draining:
            await self._writer.drain()

    def forget(self, number: int) -> None:
        self._channels.pop(number, None)

    def close(self) -> None:
        """Cut everything off. Harmless when it was done before."""
        if self.closed.is_set():
            return
        self.closed.set()
        for channel in list(self._channels.values()):
            channel.fail()
        self._writer.close()
        here = asyncio.current_task()
        for task in self._tasks:
            if task is not here:
                task.cancel()

    async def flush(self) -> None:
        """Wait until the other side could take what was said; one that is gone has been told enough."""
        try:
            async with self._draining:
                await asyncio.wait_for(self._writer.drain(), LOST_SEC)
        except (OSError, asyncio.TimeoutError):
            return

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        try:
            while True:
                head = await asyncio.wait_for(self._reader.readexactly(_FRAME.size), LOST_SEC)
                kind, number, size = _FRAME.unpack(head)
                if size > _MOST:
                    return
                data = await asyncio.wait_for(self._reader.readexactly(size), LOST_SEC) if size else b""
                self._take(kind, number, data)
        except (OSError, EOFError, asyncio.TimeoutError, ValueError):
            return
        finally:
            self.close()

    def _take(self, kind: int, number: int, data: bytes) -> None:
        if kind == _OPEN:
            channel = self._channels[number] = Channel(self, number, data.decode())
            self._run(self._opened(channel))
        elif kind == _SAY:
            self._heard(json.loads(data))
        elif number in self._channels:
            self._pass_on(self._channels[number], kind, data)

    def _pass_on(self, channel: Channel, kind: int, data: bytes) -> None:
        if kind == _DATA:
            channel.feed(data)
        elif kind == _EOF:
            channel.feed_eof()
        elif kind == _RESET:
            channel.fail()
        elif kind == _WINDOW_MORE:
            channel.more(int(struct.unpack(">I", data)[0]))

    async def _beat(self) -> None:
        while True:
            self.post(_PING, 0)
            await asyncio.sleep(HEARTBEAT_SEC)
