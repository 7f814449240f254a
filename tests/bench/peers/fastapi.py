"""FastAPI services that call each other with aiohttp or httpx, as peers."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import APPS, Peer, Scene
from tests.bench.stage import Service, Stage, answers_ok, free_port

_OCTETS = "application/octet-stream"


def fastapi(client: str) -> Peer:
    """Return FastAPI with `aiohttp` or `httpx` as its client."""

    def launch(stage: Stage, python: Path) -> Scene:
        inner, entry = free_port(), free_port()
        services = [
            _start(stage, python, "inner", inner),
            _start(stage, python, "entry", entry, str(inner), client),
        ]
        address = f"tcp:{entry}"
        return Scene(
            {
                "hop": Target(address, "/hop"),
                "fan": Target(address, "/fan"),
                "array": Target(address, "/array", "raw", _OCTETS),
            },
            idle=tuple(s.process.pid for s in services),
            ready_secs=tuple(s.ready_sec for s in services),
        )

    requirements = ("fastapi", "uvicorn[standard]", "numpy", client)
    return Peer(f"FastAPI + {client}", requirements, "fastapi", launch)


def _start(stage: Stage, python: Path, name: str, port: int, *rest: str) -> Service:
    return stage.start(
        name,
        [str(python), str(APPS / "fastapi_app.py"), str(port), *rest],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=stage.directory,
        is_ready=lambda: answers_ok(f"tcp:{port}", "/readyz"),
    )
