"""A chain of five in; how long after its caller went away the last of them was stopped, in milliseconds, out."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from tests.bench.floor.client import post_head
from tests.bench.peers.chain_services import ChainRun, Package
from tests.bench.stage import Stage

_ROW = ("First", "Second", "Third", "Fourth", "Fifth")
_WAIT_SEC = 10.0
_BODY = b'{"n": 1}'


def cancel_ms(package: Package, times: int) -> list[float]:
    """Call, go away, look at the notes of the chainlets. Raises TimeoutError when one was never stopped."""
    with tempfile.TemporaryDirectory(prefix="bench-cancel-") as directory:
        stage = Stage(Path(directory))
        notes = Path(directory) / "notes"
        try:
            run = ChainRun(package, stage, {"BENCH_NOTES": str(notes)})
            port = int(run.start("deep", _ROW)["First"].address.removeprefix("tcp:"))
            return [_once(port, notes) for _ in range(times)]
        finally:
            stage.end()


def _once(port: int, notes: Path) -> float:
    notes.write_bytes(b"")
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(post_head("/run_remote", len(_BODY), "application/json") + _BODY)
        _until(lambda: b"begun Fifth" in notes.read_bytes(), "the fifth chainlet was not called")
        left = time.monotonic_ns()
    _until(lambda: notes.read_bytes().count(b"over ") == len(_ROW), "not all chainlets were stopped")
    stopped = [int(line.split()[2]) for line in notes.read_text().splitlines() if line.startswith("over ")]
    return (max(stopped) - left) / 1e6


def _until(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_SEC
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        Event().wait(0.005)
