"""Calls that leave the chain, and calls that somebody debugs: what is sent, and what does not hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import chainctl as chains
from chainctl.calls.buffers import Buffers
from chainctl.server.service import ChainletService
from chainctl.worker.boot import ChainletManifest, StubResolver

SEEN: list[tuple[str, Mapping[str, str]]] = []


class Model(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return text


class Front(chains.ChainletBase):
    def __init__(self, model: Any = chains.depends(Model, timeout_sec=0.05)) -> None:
        self.model = model

    def run_remote(self, text: str) -> str:
        return str(self.model.run_remote(text))


class _Stranger(BaseHTTPRequestHandler):
    """Takes its time, and notes what it was sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        SEEN.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        until = time.monotonic() + 0.2
        while (left := until - time.monotonic()) > 0:
            threading.Event().wait(left)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b'"x"')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """A stranger on loopback who needs longer than the edge allows."""
    SEEN.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/below"
    server.shutdown()
    thread.join()
    server.server_close()


def front(directory: Path, **variables: str) -> Any:
    (directory / ".chainctl-token").write_text("the-token-of-the-chain")
    environ = {"CHAINCTL_SECRETS_DIR": str(directory), **variables}
    resolver = StubResolver(ChainletManifest.of(environ, None), Buffers())
    resolver.is_booting = False
    return resolver.arguments(Front, {})["model"]


def test_a_stranger_does_not_get_the_chains_token(url: str, tmp_path: Path) -> None:
    """The call goes to the path of callers from outside, and no limit holds for one that somebody debugs."""
    model = front(tmp_path, CHAINCTL_OUTSIDE=f'{{"Model": "{url}"}}', CHAINCTL_UNBOUNDED='["Model"]')
    assert model.run_remote("a") == "x"
    ((path, headers),) = SEEN
    assert path == "/below/run_remote"
    assert not [name for name in headers if name.startswith("x-chainctl")]
    assert "the-token" not in str(headers)


def test_the_limit_of_an_edge_holds_for_a_stranger(url: str, tmp_path: Path) -> None:
    """As for a service of the chain."""
    model = front(tmp_path, CHAINCTL_OUTSIDE=f'{{"Model": "{url}"}}', CHAINCTL_UNBOUNDED="[]")
    with pytest.raises(TimeoutError):
        model.run_remote("a")


def test_deadlines_of_callers_do_not_hold_for_what_is_debugged() -> None:
    """A service that somebody debugs has all the time in the world."""
    told = {b"x-chainctl-timeout-ms": b"5"}
    assert ChainletService("a").context(told).deadline is not None
    assert ChainletService("a", has_deadlines=False).context(told).deadline is None
