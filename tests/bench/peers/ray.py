"""Ray Serve as a peer: one application of two deployments on a cluster of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import APPS, Peer, Scene
from tests.bench.stage import Stage, free_port

_ENV = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}


def ray() -> Peer:
    """Return Ray Serve."""
    return Peer("Ray Serve", ("ray[serve]", "numpy"), "ray", _launch)


def _launch(stage: Stage, python: Path) -> Scene:
    port = free_port()
    address = f"tcp:{port}"
    log = stage.directory / "ray.log"
    service = stage.start(
        "ray",
        [str(python), str(APPS / "ray_app.py"), str(port), str(stage.directory)],
        env={**os.environ, **_ENV, "HOME": str(stage.directory)},
        cwd=stage.directory,
        is_ready=lambda: "\nserving" in log.read_text(errors="replace"),
    )
    return Scene(
        {
            "hop": Target(address, "/hop"),
            "fan": Target(address, "/fan"),
            "array": Target(address, "/array", "raw", "application/octet-stream"),
        },
        idle=(service.process.pid,),
        ready_secs=(service.ready_sec,),
        notes="memory and start-up are of the whole cluster: the calls go by its handles, not by HTTP",
    )
