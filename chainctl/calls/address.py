"""The URL of a service in; where to connect, and what a request line says there, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Optional
from urllib.parse import urlsplit

SERVICE_PORT = 8080
"""Where a service listens in its container."""


@dataclass(frozen=True)
class Address:
    """Where a service answers: a Unix socket, or host and port; `path` is the base of its URLs."""

    host: str
    port: int = 0
    socket: Optional[str] = None
    is_tls: bool = False
    path: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Parse `http://…`, `https://…` or `unix:/path.sock`. Raises ValueError."""
        if url.startswith("unix:"):
            return cls("localhost", socket=url[len("unix:") :])
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http, https or unix URL")
        is_tls = parts.scheme == "https"
        query = f"?{parts.query}" if parts.query else ""
        port = parts.port or (443 if is_tls else 80)
        return cls(parts.hostname, port, is_tls=is_tls, path=parts.path + query)

    @property
    def host_header(self) -> str:
        default = 443 if self.is_tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.socket or self.port == default else f"{host}:{self.port}"

    @property
    def service(self) -> str:
        """The name by which a service is looked for: the host, or the file of the socket."""
        return PurePath(self.socket).name if self.socket else self.host

    def target(self, path: str) -> str:
        """What a request line names: `path` below this address, the address's own path when it is empty."""
        return (self.path.rstrip("/") + path if path else self.path) or "/"

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{self.host}:{self.port}"
