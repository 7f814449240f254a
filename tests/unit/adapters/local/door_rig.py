"""A scripted service and a scenario of callers in, a real front door between them out."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from chainctl.adapters.local.front_door.door import Door
from chainctl.adapters.local.front_door.flights import Backend, Switch
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.visit import Keys

TOKEN = "token-of-the-chain"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SCENARIO_SEC = 60.0
DRAIN_SEC = 5.0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario on the event loop that supervisors use. Raises TimeoutError when it hangs."""

    async def bounded() -> None:
        async with asyncio.timeout(SCENARIO_SEC):
            await scenario()

    uvloop.run(bounded())


@asynccontextmanager
async def open_door(
    *, api_key: bytes | None = None, limits: DoorLimits | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Rig]:
    """Open a door on a free port, with no route yet. Raises what a script failed with."""
    switch = Switch()
    door = Door(switch, Keys(TOKEN, api_key), limits or DoorLimits())
    listener = socket.create_server(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory(prefix="cc-") as place:
        rig = Rig(door, switch, listener.getsockname()[1], Path(place))
        async with _opened(door, listener, tls):
            try:
                yield rig
            finally:
                await rig.clear()


@asynccontextmanager
async def _opened(door: Door, listener: socket.socket, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    await door.open(listener, tls)
    try:
        yield
    finally:
        door.close()
        await door.drain(DRAIN_SEC)


@dataclass
class Rig:
    """An open door, its switch, and all who talk through it. `place` holds the services' sockets."""

    door: Door
    switch: Switch
    port: int
    place: Path
    peers: list[Peer] = field(default_factory=list)
    scripts: list[asyncio.Task[None]] = field(default_factory=list)

    async def call(self, tls: ssl.SSLContext | None = None) -> Peer:
        """Connect a caller to the door."""
        return self._joined(*await asyncio.open_connection("127.0.0.1", self.port, ssl=tls))

    @asynccontextmanager
    async def service(self, script: Script, name: str = "service") -> AsyncIterator[Service]:
        """Listen as a service that plays `script` on every connection, and route the door to it."""
        service = Service(Backend(name, self.place / name))

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            service.visits += 1
            self.scripts.append(asyncio.create_task(_play(script, self._joined(reader, writer))))

        server = await asyncio.start_unix_server(welcome, str(service.backend.socket))
        self.switch.backend = service.backend
        try:
            yield service
        finally:
            server.close()

    async def clear(self) -> None:
        """Cut every connection and end every script. Raises what the first of them failed with."""
        for script in self.scripts:
            script.cancel()
        endings = await asyncio.gather(*self.scripts, return_exceptions=True)
        for peer in self.peers:
            await peer.cut()
        for ending in endings:
            if isinstance(ending, Exception):
                raise ending

    def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Peer:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        return peer


@dataclass
class Service:
    """A service behind the door. `visits` counts the connections that were made to it."""

    backend: Backend
    visits: int = 0


@dataclass
class Peer:
    """One end of a connection: a caller before the door or a service behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write bytes and wait until most of them are taken."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        """Return the next head, with the empty line that ends it."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next request."""
        head = await self.head()
        return head, await self.reader.readexactly(length_of(head))

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and the body of the next answer, which must have a Content-Length."""
        head = await self.head()
        return status_of(head), await self.reader.readexactly(length_of(head))

    async def rest(self) -> bytes:
        """Return all bytes up to the end of the connection. Raises ConnectionResetError."""
        return await self.reader.read()

    def close(self) -> None:
        """Send what is written, then close."""
        self.writer.close()

    async def cut(self) -> None:
        """Close at once, and wait until it is so."""
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


async def _play(script: Script, peer: Peer) -> None:
    """Play a script to its end, or until the door ends the connection; then close."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(peer)
    finally:
        peer.close()


async def always_ok(peer: Peer) -> None:
    """Answer every request with OK."""
    while True:
        await peer.request()
        await peer.send(OK)


def status_of(head: bytes) -> int:
    """Return the status of an answer's head."""
    return int(head.split(b" ", 2)[1])


def length_of(head: bytes) -> int:
    """Return the Content-Length of a head, 0 when it has none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
