"""Connecting to an engine, and what that costs those who do not."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.errors import EngineError


def test_importing_the_adapter_does_not_import_docker() -> None:
    """`chainctl --help` must not pay for docker-py and requests."""
    modules = ("engine", "builder", "tarball", "trace", "build_progress")
    imports = ";".join(f"import chainctl.adapters.docker.{module}" for module in modules)
    check = f"import sys;{imports};assert not {{'docker', 'requests'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Connecting fails at once, with the address and the way out."""
    url = f"unix://{tmp_path}/none.sock"
    with pytest.raises(EngineError, match="No Docker Engine listens") as caught:
        Engine.connect(EngineAddress(url))
    assert url in caught.value.message
    assert "start the engine" in caught.value.hint


@pytest.fixture
def plain_server() -> Iterator[int]:
    """The port of a server that knows no TLS."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server.server_address[1]
        server.shutdown()


def test_tls_is_never_given_up_silently(tmp_path: Path, plain_server: int) -> None:
    """Where TLS is asked for and the other side has none, nothing is sent in the clear."""
    host = f"tcp://127.0.0.1:{plain_server}"
    address = EngineAddress.resolve({"DOCKER_TLS_VERIFY": "1"}, tmp_path, host=host)
    with pytest.raises(EngineError, match="No TLS connection") as caught:
        Engine.connect(address)
    assert "DOCKER_CERT_PATH" in caught.value.hint
