"""An EngineAddress in; clients of that engine and what is known about it out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chainctl.adapters.docker.engine_address import EngineAddress, TLSFiles
from chainctl.adapters.docker.engine_error import LOST_HINT, engine_errors
from chainctl.adapters.docker.engine_info import EngineInfo, EnginePing
from chainctl.adapters.docker.ssh_tunnel import SCHEME, SshTunnel
from chainctl.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient
    from docker.tls import TLSConfig

TIMEOUT = 60
OLDEST_API = "1.24"


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine. Make it with `connect`, or with `late`; it holds no open connection.

    `known` is what it answered to a ping, None where it is asked each time; `tunnel` leads to one that is
    reached over SSH, opened when it is first needed.
    """

    address: EngineAddress
    known: EnginePing | None
    tunnel: list[SshTunnel] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def connect(cls, address: EngineAddress) -> Engine:
        """Return the engine at an address. Raises EngineError when none answers."""
        engine = cls.late(address)
        return replace(engine, known=engine.ping)

    @classmethod
    def late(cls, address: EngineAddress) -> Engine:
        """Return the engine at an address, which need not answer before it is used."""
        return cls(address, None)

    @property
    def ping(self) -> EnginePing:
        """Return what it answers to a ping. Raises EngineError where it was not known and does not answer."""
        return self.known or self._ping()

    @property
    def url(self) -> str:
        """Return the address to connect to: that of the tunnel where there is one. Raises EngineError."""
        if not self.address.url.startswith(SCHEME):
            return self.address.url
        if self.tunnel and not self.tunnel[0].is_open:
            self.tunnel.clear()
        if not self.tunnel:
            self.tunnel.append(SshTunnel.opened(self.address.url))
        return self.tunnel[0].url

    def errors(self, doing: str, *, hint: str = LOST_HINT) -> AbstractContextManager[None]:
        """Return the context in which docker-py's exceptions become EngineError.

        `doing` completes "the engine refused to …". Catch NotFound and the like inside of it.
        """
        return engine_errors(self.address.url, doing, hint=hint)

    @contextmanager
    def client(self) -> Iterator[APIClient]:
        """Open a client for one thread and one purpose; closing it drops its connections."""
        version, url = self.ping.api_version or OLDEST_API, self.url
        with self.errors("open a connection"):
            client = _open(url, self.address.tls, version)
        with client:
            yield client

    def is_alive(self) -> bool:
        """Return True when the engine answers. Raises EngineError otherwise."""
        return bool(self._ping().api_version)

    def _ping(self) -> EnginePing:
        url = self.url
        try:
            with self.errors("answer a ping"), _open(url, self.address.tls, OLDEST_API) as client:
                _knock(url)
                response = client.get(f"{client.base_url}/_ping", timeout=TIMEOUT)
                response.raise_for_status()
                return EnginePing.of(response.headers)
        except EngineError as error:
            for tunnel in self.tunnel:
                error.details = (*error.details, *tunnel.said())
            raise

    def platform(self) -> str:
        """Return the platform that the engine runs by itself, such as "linux/amd64"."""
        with self.client() as client, self.errors("name its platform"):
            said = client.version()
        return f"{said['Os']}/{said['Arch']}"

    def info(self) -> EngineInfo:
        """Return what the engine knows about itself and its machine."""
        with self.client() as client, self.errors("describe itself"):
            return EngineInfo.of(self.ping, client.info())


def prepare() -> None:
    """Import docker-py, which takes time, before it is needed."""
    import docker  # noqa: F401


def _knock(url: str) -> None:
    """Fail here when nothing listens: docker-py leaks its socket when it fails to connect."""
    path = url.removeprefix("unix://")
    if path != url:
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(path)


def _open(url: str, tls: TLSFiles | None, version: str) -> APIClient:
    from docker import APIClient

    return APIClient(base_url=url, version=version, timeout=TIMEOUT, tls=_tls(tls) if tls else False)


def _tls(files: TLSFiles) -> TLSConfig:
    from docker.tls import TLSConfig

    pair = (files.certificate, files.key)
    return TLSConfig(
        client_cert=(str(pair[0]), str(pair[1])) if all(pair) else None,
        ca_cert=str(files.ca) if files.ca else None,
        verify=files.is_verified,
    )
