"""An EngineAddress in; clients of that engine and what is known about it out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainctl.adapters.docker.engine_address import EngineAddress, TLSFiles
from chainctl.adapters.docker.engine_error import LOST_HINT, engine_errors
from chainctl.adapters.docker.engine_info import EngineInfo, EnginePing

if TYPE_CHECKING:
    from docker import APIClient
    from docker.tls import TLSConfig

TIMEOUT = 60
OLDEST_API = "1.24"


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine. Make it with `connect`, or with `late`; it holds no open connection.

    `known` is what it answered to a ping, None where it is asked each time.
    """

    address: EngineAddress
    known: EnginePing | None

    @classmethod
    def connect(cls, address: EngineAddress) -> Engine:
        """Return the engine at an address. Raises EngineError when none answers."""
        return cls(address, _ping(address))

    @classmethod
    def late(cls, address: EngineAddress) -> Engine:
        """Return the engine at an address, which need not answer before it is used."""
        return cls(address, None)

    @property
    def ping(self) -> EnginePing:
        """Return what it answers to a ping. Raises EngineError where it was not known and does not answer."""
        return self.known or _ping(self.address)

    def errors(self, doing: str, *, hint: str = LOST_HINT) -> AbstractContextManager[None]:
        """Return the context in which docker-py's exceptions become EngineError.

        `doing` completes "the engine refused to …". Catch NotFound and the like inside of it.
        """
        return engine_errors(self.address.url, doing, hint=hint)

    @contextmanager
    def client(self) -> Iterator[APIClient]:
        """Open a client for one thread and one purpose; closing it drops its connections."""
        ping = self.ping
        with self.errors("open a connection"):
            client = _open(self.address, ping.api_version or OLDEST_API)
        with client:
            yield client

    def is_alive(self) -> bool:
        """Return True when the engine answers. Raises EngineError otherwise."""
        return bool(_ping(self.address).api_version)

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


def _ping(address: EngineAddress) -> EnginePing:
    with engine_errors(address.url, "answer a ping"), _open(address, OLDEST_API) as client:
        _knock(address)
        response = client.get(f"{client.base_url}/_ping", timeout=TIMEOUT)
        response.raise_for_status()
        return EnginePing.of(response.headers)


def _knock(address: EngineAddress) -> None:
    """Fail here when nothing listens: docker-py leaks its socket when it fails to connect."""
    path = address.url.removeprefix("unix://")
    if path != address.url:
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(path)


def _open(address: EngineAddress, version: str) -> APIClient:
    from docker import APIClient

    return APIClient(
        base_url=address.url,
        version=version,
        timeout=TIMEOUT,
        tls=_tls(address.tls) if address.tls else False,
        use_ssh_client=address.url.startswith("ssh://"),
    )


def _tls(files: TLSFiles) -> TLSConfig:
    from docker.tls import TLSConfig

    pair = (files.certificate, files.key)
    return TLSConfig(
        client_cert=(str(pair[0]), str(pair[1])) if all(pair) else None,
        ca_cert=str(files.ca) if files.ca else None,
        verify=files.is_verified,
    )
