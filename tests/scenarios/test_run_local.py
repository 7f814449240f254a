"""`run-local` serves until it is ended, says where, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Chainctl

HELLO = "examples/hello/chain.py"


@contextmanager
def serving(chainctl: Chainctl, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the hello example on a free port; the process and its URL. It is ended with SIGTERM."""
    process = subprocess.Popen(
        [*Chainctl.COMMAND, "run-local", HELLO, "--port", str(_free_port()), *arguments],
        env=dict(chainctl.environ), cwd=chainctl.directory,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("fidelity", ["inline", "codec", "process"])
def test_serving_ends_with_a_signal_and_leaves_nothing(fidelity: str, chainctl: Chainctl) -> None:
    """It answers at the URL that it prints; after SIGTERM the exit code is 130 and nobody listens."""
    with serving(chainctl, "--fidelity", fidelity) as (process, url):
        request = urllib.request.Request(
            f"{url}/run_remote", b'{"names": ["Ada"]}', {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer) == "Hello, Ada"
    assert process.returncode == 130
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(url.rpartition(":")[2])))


def test_a_taken_port_is_an_error_and_no_url_is_printed(chainctl: Chainctl) -> None:
    """Exit code 2 and which option to give."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = chainctl("run-local", HELLO, "--port", str(taken.getsockname()[1]), expect=2)
    assert done.stdout == ""
    assert "--port" in done.stderr


def test_plan_writes_nothing(chainctl: Chainctl) -> None:
    """Planning leaves no trace in the state directory."""
    chainctl("plan", HELLO, "--target", "local")
    assert not list(Path(chainctl.environ["XDG_STATE_HOME"]).rglob("*"))
