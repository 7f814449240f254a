"""BentoML as a peer: two services that its own supervisor starts."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import APPS, Peer, Scene
from tests.bench.stage import Stage, answers_ok, free_port


def bentoml() -> Peer:
    """Return BentoML."""
    return Peer("BentoML", ("bentoml", "numpy"), "bentoml", _launch, is_pausable=False)


def _launch(stage: Stage, python: Path) -> Scene:
    port = free_port()
    address = f"tcp:{port}"
    home = {"HOME": str(stage.directory), "BENTOML_HOME": str(stage.directory), "BENTOML_DO_NOT_TRACK": "1"}
    service = stage.start(
        "bentoml",
        [
            *(str(python), "-m", "bentoml", "serve", "bento_app:Entry"),
            *("--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", "75"),
        ],
        env={**os.environ, **home, "PATH": f"{python.parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        cwd=APPS,
        is_ready=lambda: answers_ok(address, "/readyz"),
    )
    return Scene(
        {
            "hop": Target(address, "/hop"),
            "fan": Target(address, "/fan"),
            "array": Target(address, "/raw/array", "raw", "application/octet-stream"),
        },
        idle=(service.process.pid,),
        ready_secs=(service.ready_sec,),
        notes="memory and start-up are of both services and their supervisor together",
    )
