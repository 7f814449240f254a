"""A chainlet to debug in; the debugpy that is installed here and a port of loopback for it, out."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from pathlib import Path

from chainctl.errors import UsageError

HOST = "127.0.0.1"
USUAL_PORT = 5678


def debugger_path() -> Path:
    """Return the directory of debugpy, which any Python can run. Raises UsageError where it is not installed."""
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise UsageError("debugpy is not installed", hint="`pip install 'chainctl[debug]'`.")
    return Path(found.origin).parent


def debugger_ports(count: int) -> list[int]:
    """Return ports that are free now: the usual one first, where it is."""
    with socket.socket() as usual:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            usual.bind((HOST, USUAL_PORT))
            first = [USUAL_PORT]
        except OSError:
            first = []
    return [*first, *_free(count - len(first))][:count]


def launcher(debugger: Path, port: int, *, waits: bool) -> tuple[str, ...]:
    """Return what stands before the program: with `waits` it begins when somebody has attached."""
    wait: Sequence[str] = ("--wait-for-client",) if waits else ()
    return (str(debugger), "--listen", f"{HOST}:{port}", *wait, "--configure-subProcess", "false")


def _free(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
