"""A link to a developer's machine and the replicas of a service in; requests led to the one, or to the others, out.

`python -c … '{"listen": …}'` is the whole of a stand-in: a replica that has nothing of its own. As long as the
link says that the chainlet runs there, requests go there, and the other replicas are asked to step aside, for a
second at a time. When the link ends, however it does, requests go to the others again; once callers have
turned to them, it ends. It needs the standard library only, and Python 3.10.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from chainctl.adapters.intercept.callers import Callers
from chainctl.adapters.intercept.http_body import HEAD_END
from chainctl.adapters.intercept.mux import Channel, Mux, Said
from chainctl.adapters.intercept.relay import Incoming, Pipe, Relay, SocketPipe, Upstream, join

ASIDE_SEC = 1
_RENEW_SEC = 0.3
_ASK_SEC = 1.5
_HEARD_SEC = 1.2
"""So long it takes callers and front doors, which look twice a second, to hear that the others are aside."""
_CONNECT_SEC = 2.0
_LINK_SEC = 30.0
_BACK_SEC = 10.0
_DRAIN_SEC = 30.0
_POLL_SEC = 0.05
_BACKLOG = 1024
_OWN = "chainlet"


@dataclass(frozen=True)
class Place:
    """Where a stand-in is. `listen` and the others of the service are `tcp:HOST:PORT` or `unix:PATH`.

    `service` is the name that the others have in the network, `link` a socket's path, or "" for standard
    input and output. With `hides_memory` the chainlet sees no memory of the service's machine.
    """

    listen: str
    service: str
    link: str = ""
    hides_memory: bool = True


class StandIn:
    """One stand-in, from its start to its end."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._callers = Callers(time.monotonic)
        self._relay = Relay(self._upstreams, self._callers, hides_memory=place.hides_memory)
        self._mux: Mux | None = None
        self._token = ""
        self._others: list[str] = []
        self._turn = itertools.count()
        self._is_led = False
        self._ending = asyncio.Event()
        self._is_linked = asyncio.Event()
        self._why = ""
        self._is_aside = False
        self._opening: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Stand in until the link ends, or somebody wants the end of it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGWINCH):
            loop.add_signal_handler(number, self.end, "the chain has no place for it any more")
        server = await self._listen(loop)
        tending = asyncio.ensure_future(self._tend())
        opened = await self._open_link()
        try:
            await asyncio.wait_for(self._is_linked.wait(), _LINK_SEC)
            await self._until_end()
            await self._go_back()
        except asyncio.TimeoutError:
            pass
        finally:
            tending.cancel()
            opened()
            server.close()
            if self._mux is not None:
                self._mux.say({"say": "ended", "why": self._why})
                await self._mux.flush()
                self._mux.close()

    def end(self, why: str) -> None:
        """Begin to end."""
        self._why = self._why or why
        self._is_linked.set()
        self._ending.set()

    async def _until_end(self) -> None:
        mux = self._mux
        lost = asyncio.ensure_future(mux.closed.wait()) if mux else asyncio.ensure_future(self._ending.wait())
        ending = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait((lost, ending), return_when=asyncio.FIRST_COMPLETED)
        lost.cancel()
        ending.cancel()

    async def _go_back(self) -> None:
        """Have the others take over: they are back, callers hear of that and turn to them, what is under way ends.

        Until then it goes on answering, by asking the others. Callers look at all replicas at the same time: who
        has asked here since the others are back has asked them, too.
        """
        was_led, self._is_led = self._is_led, False
        self._relay.is_ready = False
        if self._is_aside:
            self._is_aside = False
            await self._ask_aside(0)
        if self._mux is not None:
            self._mux.say({"say": "ending", "why": self._why})
        if was_led:
            self._callers.mark()
            await _until(lambda: self._callers.have_asked, _BACK_SEC)
        self._relay.is_open = False
        self._callers.mark()
        await _until(lambda: self._callers.have_turned, _DRAIN_SEC)

    def _upstreams(self) -> Iterator[Upstream]:
        """Yield the chainlet's own process while it is led to, then the others, in turn."""
        mux = self._mux
        if self._is_led and mux is not None and not mux.closed.is_set():
            yield Upstream(partial(_open_channel, mux), is_repeated=True)
        others, turn = self._others, next(self._turn)
        for number in range(len(others)):
            yield Upstream(partial(_connect, others[(turn + number) % len(others)]))

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractServer:
        self._others = await self._look()
        kind, _, rest = self._place.listen.partition(":")

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = Incoming()
            return asyncio.StreamReaderProtocol(reader, partial(_serve, self._relay, reader))

        if kind == "unix":
            return await loop.create_unix_server(protocol, rest, backlog=_BACKLOG)
        host, _, port = rest.rpartition(":")
        return await loop.create_server(protocol, host, int(port), backlog=_BACKLOG)

    async def _open_link(self) -> Callable[[], None]:
        """Wait for the link in the background; returns what stops that."""
        if self._place.link:
            server = await asyncio.start_unix_server(self._linked, self._place.link)
            os.chmod(self._place.link, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101  # no pathlib here
            return server.close
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
        transport, made = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout.buffer)
        await self._linked(reader, asyncio.StreamWriter(transport, made, None, loop))
        return _nothing

    async def _linked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mux is not None:
            writer.close()
            return
        self._mux = Mux(reader, writer, is_first=False, opened=self._call, heard=self._hear)
        self._mux.start()
        self._is_linked.set()

    def _hear(self, said: Said) -> None:
        """Do what the developer's command says: `open`, `aside`, `end`."""
        what = said.get("say")
        if what == "open":
            self._token = str(said["token"])
            self._is_led = self._relay.is_open = self._relay.is_ready = True
            self._opening = asyncio.ensure_future(self._answer_open())
        elif what == "aside":
            self._is_aside = self._is_led
        elif what == "end":
            self.end(str(said.get("why", "")))

    async def _answer_open(self) -> None:
        """Ask the others whether they know how to step aside."""
        statuses = await self._ask_aside(0)
        if self._mux is not None:
            self._mux.say({"say": "opened", "others": statuses})

    async def _tend(self) -> None:
        """Look for the others, and keep them aside while they should be."""
        since, has_told = 0.0, False
        while True:
            self._others = await self._look() or self._others
            if self._is_aside:
                await self._ask_aside(ASIDE_SEC)
                since = since or time.monotonic()
                if self._mux is not None and not has_told and time.monotonic() - since > _HEARD_SEC:
                    has_told = True
                    self._mux.say({"say": "stepped aside"})
            await asyncio.sleep(_POLL_SEC if self._is_led and not self._is_aside else _RENEW_SEC)

    async def _ask_aside(self, seconds: int) -> list[int]:
        asked = [_ask_aside(one, seconds, self._token) for one in self._others]
        return list(await asyncio.gather(*asked))

    async def _call(self, channel: Channel) -> None:
        """Connect the chainlet to a service of its chain."""
        try:
            pipe = await _connect(channel.target)
        except OSError:
            channel.abort()
            return
        await join(channel, pipe)

    async def _look(self) -> list[str]:
        """Return where the other replicas are; none when nobody tells."""
        kind, _, rest = self._place.listen.partition(":")
        if kind == "unix":
            return _sockets_beside(rest)
        port = int(rest.rpartition(":")[2])
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._place.service, port, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
            own = await loop.getaddrinfo(
                socket.gethostname(), port, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
        except OSError:
            return []
        ours = {place[4][0] for place in own}
        return sorted({f"tcp:{place[4][0]}:{port}" for place in found if place[4][0] not in ours})


async def _serve(relay: Relay, reader: Incoming, _same: Any, writer: asyncio.StreamWriter) -> None:
    await relay.serve(reader, writer)


async def _open_channel(mux: Mux) -> Pipe:
    return mux.open(_OWN)


async def _connect(place: str) -> Pipe:
    """Open a connection to `tcp:HOST:PORT` or `unix:PATH`. Raises OSError."""
    kind, _, rest = place.partition(":")
    host, _, port = rest.rpartition(":")
    opening = (
        asyncio.open_unix_connection(rest) if kind == "unix" else asyncio.open_connection(host, int(port))
    )
    try:
        return SocketPipe(*await asyncio.wait_for(opening, _CONNECT_SEC))
    except asyncio.TimeoutError as error:
        raise ConnectionRefusedError(f"{place} does not answer") from error


async def _ask_aside(place: str, seconds: int, token: str) -> int:
    """Ask a replica to step aside for so long; returns its answer's status, 0 for none."""
    try:
        pipe = await _connect(place)
    except OSError:
        return 0
    request = (
        f"POST /-/aside?sec={seconds} HTTP/1.1\r\nhost: localhost\r\nx-chainctl-token: {token}\r\n"
        "content-length: 0\r\nconnection: close\r\n\r\n"
    )
    try:
        await pipe.send(request.encode())
        head = await asyncio.wait_for(pipe.read_until(HEAD_END), _ASK_SEC)
        return int(head.split(b" ", 2)[1])
    except (OSError, EOFError, ValueError, asyncio.TimeoutError):
        return 0
    finally:
        pipe.abort()


async def _until(holds: Callable[[], bool], within_sec: float) -> None:
    """Wait until something holds, or for so long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_sec
    while not holds() and loop.time() < deadline:
        await asyncio.sleep(_POLL_SEC)


def _sockets_beside(own: str) -> list[str]:
    """Return the sockets of the other replicas: `service`, `service.2` and so on."""
    directory, name = os.path.split(own)  # no pathlib here
    service = name.rpartition(".")[0]
    with contextlib.suppress(OSError):
        found = [one for one in os.listdir(directory) if one != name]  # noqa: PTH208
        ours = [
            one
            for one in found
            if one == service or (one.startswith(service + ".") and one[len(service) + 1 :].isdecimal())
        ]
        return [f"unix:{os.path.join(directory, one)}" for one in sorted(ours)]  # noqa: PTH118
    return []


def _nothing() -> None:
    """Stop nothing."""


def main(text: str) -> None:
    """Stand in, as the JSON of a Place says."""
    asyncio.run(_run(Place(**json.loads(text))))


async def _run(place: Place) -> None:
    await StandIn(place).run()
