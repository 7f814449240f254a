"""A client of an engine in; the bare connection of a session, upgraded to HTTP/2, out.

The connection is taken from docker-py's response in the way in which docker-py itself does it to
attach to a container, so every transport that can attach (Unix socket, TCP, TLS) carries sessions.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainctl.adapters.docker.engine import TIMEOUT

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response

CHUNK = 1 << 16
_SWITCHED = 101


class SessionUnavailableError(Exception):
    """The engine, or what lies before it, does not upgrade the connection."""


@dataclass(frozen=True, slots=True)
class SessionConnection:
    """Two directions of bytes. One thread reads and writes; any thread may `cut`."""

    _response: Response
    _reader: Any  # what http.client reads from; it may hold bytes that came with the headers

    def receive(self) -> bytes:
        """Wait for bytes; none at the end. Raises OSError or ValueError when the connection is lost."""
        return bytes(self._reader.read1(CHUNK) or b"")

    def send(self, data: bytes) -> None:
        """Raises OSError when the connection is lost."""
        self._end.sendall(data)

    def cut(self) -> None:
        """Let the reader find the end."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._response.close()

    def unlimited(self) -> SessionConnection:
        """Take docker-py's timeouts off: a session is silent while a step runs."""
        self._end.settimeout(None)
        return self

    @property
    def _end(self) -> socket.socket:
        end: socket.socket = self._reader.raw._sock
        return end


def connect_session(client: APIClient, session: str, methods: Iterable[str]) -> SessionConnection:
    """Open the session with an id that no other has.

    Raises SessionUnavailableError when it is refused, and what docker-py raises for a lost engine.
    """
    return switched(_ask(client, session, methods))


def attached(client: APIClient, command: str) -> SessionConnection:
    """Start a command that was made in a container, and be what it reads and writes; its output is in frames.

    Raises SessionUnavailableError when that is refused, and what docker-py raises for a lost engine.
    """
    from requests import Request

    url = f"{client.base_url}/v{client.api_version}/exec/{command}/start"
    request = client.prepare_request(Request("POST", url, json={"Detach": False, "Tty": False}))
    request.headers.update({"Connection": "Upgrade", "Upgrade": "tcp"})
    return switched(client.send(request, stream=True, timeout=TIMEOUT))


def switched(response: Response) -> SessionConnection:
    """Take over the connection of an answer. Raises SessionUnavailableError when it was not upgraded."""
    reader = getattr(getattr(response.raw, "_fp", None), "fp", None)
    if response.status_code != _SWITCHED or not hasattr(reader, "read1"):
        response.close()
        raise SessionUnavailableError(f"HTTP {response.status_code}")
    return SessionConnection(response, reader).unlimited()


def _ask(client: APIClient, session: str, methods: Iterable[str]) -> Response:
    from requests import Request
    from urllib3 import HTTPHeaderDict

    request = client.prepare_request(Request("POST", f"{client.base_url}/v{client.api_version}/session"))
    headers = HTTPHeaderDict(request.headers)  # one of them comes several times
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = "h2c"
    headers["X-Docker-Expose-Session-Uuid"] = session
    headers["X-Docker-Expose-Session-Name"] = "chainctl"
    headers["X-Docker-Expose-Session-Sharedkey"] = session
    for method in methods:
        headers.add("X-Docker-Expose-Session-Grpc-Method", method)
    request.headers = headers  # type: ignore[assignment]  # adapters only read it as a mapping
    return client.send(request, stream=True, timeout=TIMEOUT)
