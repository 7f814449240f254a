"""Orders to open and close in, the front door of a chain at one stable address out."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.local.front_door.door import BACKLOG, Door
from chainctl.adapters.local.front_door.flights import Switch
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.visit import Keys
from chainctl.adapters.local.protocol import OpenDoor
from chainctl.errors import DeployError

PORTS = range(8100, 9100)
HOLD_SEC = 300.0
"""So long a request waits for a chain that sleeps."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A door that stands open. `listener` is kept so that a successor takes over its address."""

    door: Door
    order: OpenDoor
    listener: socket.socket
    port: int


class Doorway:
    """Where the front door is. One door follows another without a moment in which none listens."""

    def __init__(self, switch: Switch, runtime: Path, drain_sec: float) -> None:
        self._switch = switch
        self._runtime = runtime
        self._drain_sec = drain_sec
        self._opened: _Opened | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int | None:
        return None if self._opened is None else self._opened.port

    @property
    def url(self) -> str:
        if self._opened is None:
            return ""
        scheme = "http" if self._opened.order.tls is None else "https"
        return f"{scheme}://{_reachable(self._opened.order.bind)}:{self._opened.port}"

    @property
    def digest(self) -> str:
        return "" if self._opened is None else self._opened.order.digest

    async def open(self, order: OpenDoor, kept_port: int | None) -> None:
        """Open the door, or replace it when its settings changed. Raises DeployError."""
        if self._opened is not None and self._opened.order.digest == order.digest:
            return
        tls = None if order.tls is None else _tls_context(order.tls, self._runtime)
        listener = self._same_address(order) or _listen(order, kept_port)
        limits = DoorLimits(hold_sec=HOLD_SEC if order.holds else 0.0)
        door = Door(self._switch, Keys(order.token, order.api_key), limits)
        await door.open(listener.dup(), tls)
        self.close()
        self._opened = _Opened(door, order, listener, listener.getsockname()[1])

    def close(self) -> None:
        """Accept no more callers; what is under way finishes in the background."""
        if self._opened is None:
            return
        self._opened.door.close()
        self._opened.listener.close()
        leaving = asyncio.get_running_loop().create_task(self._opened.door.drain(self._drain_sec))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        self._opened = None

    async def drain(self) -> None:
        """Wait for the last request of all doors that were closed."""
        await asyncio.gather(*self._leaving)

    def _same_address(self, order: OpenDoor) -> socket.socket | None:
        current = self._opened
        if current is None or current.order.bind != order.bind:
            return None
        is_same = order.port in (None, current.port)
        return current.listener.dup() if is_same else None


def _listen(order: OpenDoor, kept_port: int | None) -> socket.socket:
    for port in _candidates(order.port, kept_port):
        try:
            return _listener(order.bind, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise DeployError(
                    f"The front door cannot listen on {order.bind}:{port}: {error.strerror}",
                    hint="choose another address or port for the front door",
                ) from error
    raise DeployError(
        f"The port {order.port or f'{PORTS.start} to {PORTS.stop - 1}'} of the front door is taken",
        hint="stop what listens there (`ss -ltnp` shows it), or choose another port",
    )


def _candidates(port: int | None, kept_port: int | None) -> Iterable[int]:
    if port is not None:
        return [port]
    return [*([] if kept_port is None else [kept_port]), *PORTS]


def _listener(bind: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _tls_context(pem: bytes, runtime: Path) -> ssl.SSLContext:
    """Make a context from certificate and key in one PEM, which is on disk only while it is read."""
    handle, path = tempfile.mkstemp(prefix="tls-", dir=runtime)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
    except (ssl.SSLError, ValueError) as error:
        raise DeployError(
            f"The TLS secret of the front door cannot be used: {error}",
            hint="give a PEM that holds the certificate chain and its unencrypted private key",
        ) from error
    finally:
        Path(path).unlink()
    return context


def _reachable(bind: str) -> str:
    if bind in ("", "0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{bind}]" if ":" in bind else bind
