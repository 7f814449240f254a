"""LitServe as a peer: servers that call each other with aiohttp, for it has no calls of its own."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import APPS, Peer, Scene
from tests.bench.stage import Service, Stage, answers_ok, free_port

_PATH = "/predict"


def litserve() -> Peer:
    """Return LitServe."""
    return Peer("LitServe", ("litserve", "aiohttp", "numpy"), "litserve", _launch)


def _launch(stage: Stage, python: Path) -> Scene:
    inner = free_port()
    services = [_start(stage, python, inner, "inner")]
    ports = {call: free_port() for call in ("hop", "fan", "array")}
    for call, port in ports.items():
        services.append(_start(stage, python, port, call, str(inner)))
    targets = {call: Target(f"tcp:{port}", _PATH) for call, port in ports.items()}
    targets["array"] = Target(targets["array"].address, _PATH, "base64")
    return Scene(
        targets,
        idle=tuple(service.process.pid for service in services[:2]),
        ready_secs=tuple(service.ready_sec for service in services[:2]),
        notes="arrays go as base64 in JSON: it takes JSON and forms only; memory is with its worker process",
    )


def _start(stage: Stage, python: Path, port: int, call: str, *inner: str) -> Service:
    return stage.start(
        f"litserve-{call}",
        [str(python), str(APPS / "litserve_app.py"), str(port), call, *inner],
        env={**os.environ, "HOME": str(stage.directory), "OMP_NUM_THREADS": "1"},
        cwd=stage.directory,
        is_ready=lambda: answers_ok(f"tcp:{port}", "/health"),
    )
