"""The streams of a container as one socket: out of the engine's frames, in both directions, until either end closes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event

import pytest

from chainctl.adapters.docker.attach import attached
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import EngineError
from tests.unit.adapters.docker.session_engine import SessionEngine

STDOUT, STDERR = 1, 2


def framed(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


@dataclass
class AttachingEngine(SessionEngine):
    """An engine that lets somebody attach: it writes `pieces`, then reads until the end of what it is sent."""

    pieces: tuple[bytes, ...] = ()
    leaves: bool = False
    query: str = ""
    heard: bytes = b""
    is_over: Event = field(default_factory=Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        if not path.endswith("/containers/shop.99/attach"):
            return super().answer(request)
        self.query = query
        request.close_connection = True
        if self.session != 101:
            request.send_error(self.session)
            return None
        request.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        for piece in self.pieces:
            request.wfile.write(piece)
            request.wfile.flush()
        while not self.leaves and (data := request.connection.recv(1 << 16)):
            self.heard += data
        self.is_over.set()
        return None


@contextmanager
def connected(engine: SessionEngine) -> Iterator[Connection]:
    with engine.listening() as listening, Connection.opened(listening) as connection:
        yield connection


def test_what_the_container_writes_comes_without_frames() -> None:
    """However they are cut; what it writes to standard error is no part of it."""
    written = framed(STDOUT, b"one ") + framed(STDERR, b"a warning") + framed(STDOUT, b"two")
    pieces = tuple(written[n : n + 3] for n in range(0, len(written), 3))
    engine = AttachingEngine(pieces=pieces, leaves=True)
    with connected(engine) as connection, attached(connection, "shop.99") as link:
        said = b""
        while data := link.recv(1 << 16):
            said += data
    assert said == b"one two"
    assert engine.query == "stream=1&stdin=1&stdout=1"


def test_what_is_written_reaches_the_container_and_so_does_its_end() -> None:
    """The end of the link is the end of its input: that is how a stand-in learns that nobody is left."""
    engine = AttachingEngine()
    with connected(engine) as connection:
        with attached(connection, "shop.99") as link:
            link.sendall(b"x" * 200_000)
        assert engine.is_over.wait(20)
    assert engine.heard == b"x" * 200_000


def test_an_engine_that_does_not_let_attach_says_so() -> None:
    """A proxy before it may not know how; nothing is left open."""
    told = re.escape("does not let commands attach to containers (HTTP 403)")
    with connected(AttachingEngine(session=403)) as connection, pytest.raises(EngineError, match=told):
        attached(connection, "shop.99")
