"""A container that was made and not started in; its standard input and output as one socket of this process out.

What it writes is not logged anywhere, so that only this end sees it. When this end is closed, however that
comes about, the container reads the end of its input.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from chainctl.adapters.docker.engine import TIMEOUT
from chainctl.adapters.docker.session_connection import (
    SessionConnection,
    SessionUnavailableError,
    switched,
)
from chainctl.errors import EngineError

if TYPE_CHECKING:
    from chainctl.adapters.docker.target_connection import Connection

_HEAD = struct.Struct(">BxxxI")
_PIECE = 1 << 16
_STDOUT = 1


def _nothing() -> None:
    """Nobody waits for the end."""


def attached(connection: Connection, container: str) -> socket.socket:
    """Attach to a container's standard streams. Raises EngineError.

    The connection is one of its own, which outlives the client that opened it.
    """
    from requests import Request

    client = connection.client
    with connection.reading(f"attach to {container}"):
        path = f"{client.base_url}/v{client.api_version}/containers/{container}/attach"
        request = client.prepare_request(
            Request("POST", path, params={"stream": "1", "stdin": "1", "stdout": "1"})
        )
        request.headers["Connection"], request.headers["Upgrade"] = "Upgrade", "tcp"
        try:
            carried = switched(client.send(request, stream=True, timeout=TIMEOUT))
        except SessionUnavailableError as error:
            raise EngineError(
                f"The engine does not let commands attach to containers ({error})",
                hint="reach it without a proxy that takes connections apart",
            ) from error
    return as_socket(carried)


def as_socket(carried: SessionConnection, closed: Callable[[], None] = _nothing) -> socket.socket:
    """Return a socket that stands for the standard streams of what a session carries; `closed` is told its end."""
    here, there = socket.socketpair()
    reading = _thread(_carry_in, carried, there)
    _thread(_carry_out, carried, there, reading, closed)
    return here


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name="attach", daemon=True)
    thread.start()
    return thread


def _carry_out(
    carried: SessionConnection, there: socket.socket, reading: threading.Thread, closed: Callable[[], None]
) -> None:
    """Send what this process writes; then end the connection, once nobody reads from it any more."""
    with suppress(OSError):
        while data := there.recv(_PIECE):
            carried.send(data)
    carried.cut()
    reading.join()
    carried.close()
    there.close()
    closed()


def _carry_in(carried: SessionConnection, there: socket.socket) -> None:
    """Pass on what the container writes, out of the frames that the engine puts around it."""
    waiting = bytearray()
    with suppress(OSError, ValueError):
        while data := carried.receive():
            waiting += data
            for piece in _unframed(waiting):
                there.sendall(piece)
    with suppress(OSError):
        there.shutdown(socket.SHUT_RDWR)


def _unframed(waiting: bytearray) -> list[bytes]:
    """Take all whole frames from what has come; return what standard output had in them."""
    found = []
    while len(waiting) >= _HEAD.size:
        stream, size = _HEAD.unpack_from(waiting)
        if len(waiting) < _HEAD.size + size:
            break
        if stream == _STDOUT:
            found.append(bytes(waiting[_HEAD.size : _HEAD.size + size]))
        del waiting[: _HEAD.size + size]
    return found
