"""The floor as a peer: over TCP and over Unix sockets, in the Python that runs the harness."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import ROOT, Peer, Scene
from tests.bench.stage import Service, Stage, accepts, free_port

_OCTETS = "application/octet-stream"


def floor(*, over_unix: bool = False) -> Peer:
    """Return the floor."""

    def launch(stage: Stage, python: Path) -> Scene:
        return _launch(stage, over_unix=over_unix)

    name = "floor (unix)" if over_unix else "floor"
    return Peer(name, (), "", launch)


def _launch(stage: Stage, *, over_unix: bool) -> Scene:
    if over_unix:
        inner, entry = (f"unix:{stage.directory / name}.sock" for name in ("inner", "entry"))
    else:
        inner, entry = f"tcp:{free_port()}", f"tcp:{free_port()}"
    services = [_start(stage, "inner", inner), _start(stage, "entry", entry, inner)]
    array = Target(entry, "/array", "raw", _OCTETS)
    return Scene(
        {
            "hop": Target(entry, "/hop"),
            "fan": Target(entry, "/fan"),
            "array": array,
            "shared1": Target(entry, "/shared", "raw", _OCTETS),
        },
        idle=tuple(s.process.pid for s in services),
        ready_secs=tuple(s.ready_sec for s in services),
    )


def _start(stage: Stage, name: str, listen: str, *inner: str) -> Service:
    return stage.start(
        name,
        [sys.executable, "-m", "tests.bench.floor.server", listen, *inner],
        env=os.environ,
        cwd=ROOT,
        is_ready=lambda: accepts(listen),
    )
