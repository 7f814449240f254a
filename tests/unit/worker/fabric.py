"""Chainlets served on loopback in this process: real sockets, the real protocols, stubs between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
import uvloop
from uvicorn.server import ServerState

import chainctl as chains
from chainctl.calls.buffers import Buffers
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.remote import remote_chainlet
from chainctl.calls.transport import Transport
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.sdk.declaration import declaration_of
from chainctl.server.app import ChainletApp
from chainctl.server.reception import Reception
from chainctl.server.service import ChainletService
from chainctl.worker.boot import TOKEN_FILE, ChainletManifest, StubResolver, root_of
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.origin import Origin
from chainctl.worker.resolvers import build

T = TypeVar("T")
TOKEN = "secret-token"
LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_PATIENCE_SEC = 20


def run(work: Coroutine[Any, Any, T], loop: str = "uvloop", patience_sec: float = _PATIENCE_SEC) -> T:
    """Run a coroutine in a loop of a kind; what hangs, or what a loop has to report, fails."""
    reports: list[Mapping[str, Any]] = []

    async def patient() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        async with asyncio.timeout(patience_sec):
            return await work

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        result = runner.run(patient())
    assert [report["message"] for report in reports] == [], reports
    return result


@dataclass
class Net:
    """Served chainlets by name: where they listen, what they are, and who calls them."""

    urls: dict[str, str] = field(default_factory=dict)
    services: dict[str, ChainletService] = field(default_factory=dict)
    workers: dict[str, InProcessWorker] = field(default_factory=dict)
    states: dict[str, ServerState] = field(default_factory=dict)
    transports: list[Transport] = field(default_factory=list)
    loop: ClientLoop = field(default_factory=ClientLoop)

    def stub(self, cls: Any, buffers: Buffers | None = None, **options: Any) -> Any:
        """A stand-in for a served chainlet, as another one has it."""
        service = DeployedServiceDescriptor(
            name=cls.__name__,
            display_name=cls.__name__,
            internal_url=self.urls[cls.__name__],
            options=chains.RPCOptions(**options),
        )
        transport = Transport(service, {"x-chainctl-token": TOKEN}, self.loop)
        self.transports.append(transport)
        return remote_chainlet(cls, transport, buffers)

    def port(self, cls: Any) -> int:
        return int(self.urls[cls.__name__].rpartition(":")[2])

    def connections(self, cls: Any) -> int:
        return len(self.states[cls.__name__].connections)

    async def connect(self, cls: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port(cls))

    async def hang_up(self) -> None:
        """Close the connections of all stubs, and wait until the servers know."""
        loop = asyncio.get_running_loop()
        for transport in self.transports:
            for other, client in list(transport._clients.items()):
                if other is loop:
                    client.http.close()
                elif other.is_running():
                    other.call_soon_threadsafe(client.http.close)
        await until(lambda: not any(state.connections or state.tasks for state in self.states.values()))


@contextlib.asynccontextmanager
async def net_of(*classes: Any, buffers: Buffers | None = None, **options: Any) -> AsyncIterator[Net]:
    """Serve chainlets, each of which may depend on those before it. `options` go to the services."""
    net = Net()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        (Path(directory) / TOKEN_FILE).write_text(TOKEN)
        for cls in classes:
            server = await _served(net, cls, Path(directory), buffers, options)
            stack.callback(server.close)
        try:
            yield net
        finally:
            stack.close()  # whoever still calls is refused from now on
            for state in net.states.values():
                for connection in list(state.connections):
                    connection.shutdown()
            await net.hang_up()
            _end(net.loop)


async def _served(
    net: Net, cls: Any, directory: Path, buffers: Buffers | None, options: Mapping[str, Any]
) -> asyncio.Server:
    name = cls.__name__
    resolver = _Resolver(net, directory, buffers or Buffers())
    net.workers[name] = InProcessWorker(declaration_of(cls), build(cls, resolver), buffers)
    net.workers[name].origin = Origin(cls.__module__, cls.__qualname__, resolver, root_of(cls.__module__))
    resolver.is_booting = False
    service = net.services[name] = ChainletService(name, TOKEN, **options)
    service.worker = net.workers[name]
    config = uvicorn.Config(ChainletApp(service), lifespan="off", log_config=None, access_log=False)
    config.load()
    state = net.states[name] = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Reception(config, state, {}, loop), "127.0.0.1", 0, backlog=1024
    )
    net.urls[name] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return server


class _Resolver(StubResolver):
    """Remembers the transports that it makes, so that their connections can be closed."""

    def __init__(self, net: Net, directory: Path, buffers: Buffers) -> None:
        super().__init__(ChainletManifest(services=net.urls, secrets_dir=directory), buffers)
        self._net = net
        self._loop = net.loop

    def _transport(self, service: DeployedServiceDescriptor) -> Transport:
        transport = super()._transport(service)
        self._net.transports.append(transport)
        return transport


def _end(calls: ClientLoop) -> None:
    """End the thread in which sync code had its calls made."""
    loop = calls._loop
    if loop is not None:
        loop.call_soon_threadsafe(loop.stop)
        while loop.is_running():
            pass
        loop.close()


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop go on until something holds; `run` bounds the wait."""
    while not holds():
        await asyncio.sleep(0.001)


def request(
    body: bytes = b"", *headers: str, method: str = "POST", path: str = "/-/run_remote", token: str = TOKEN
) -> bytes:
    """A whole request as a service of the same chain sends it."""
    lines = [f"{method} {path} HTTP/1.1", "host: a", f"x-chainctl-token: {token}", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answer_from(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer: status, headers, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
    if "chunked" in headers.get("transfer-encoding", ""):
        return int(head[0].split()[1]), headers, await _chunks(reader)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def reset(writer: asyncio.StreamWriter) -> None:
    """Hang up the hard way."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
