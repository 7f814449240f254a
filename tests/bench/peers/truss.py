"""Truss Chains as a peer: its own generated code in its own server, without the vendor's cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.peers.peer import APPS, Peer, Scene
from tests.bench.stage import Service, Stage, StartError, answers_ok, free_port
from tests.bench.targets import TRUSS

_SERVER = (
    "aiohttp>=3.10.11",
    "fastapi>=0.114,<0.125.0",
    "joblib>=1.2.0",
    "msgpack-numpy==0.4.8",
    "msgpack==1.1.0",
    "numpy>=1.23.5,<2.0",
    "opentelemetry-api>=1.25.0",
    "opentelemetry-exporter-otlp>=1.25.0",
    "opentelemetry-sdk>=1.25.0",
    "prometheus-client>=0.21.1",
    "uvicorn>=0.24.0",
    "uvloop>=0.19.0",
    "websockets>=10.0",
)
"""What `templates/server/requirements.txt` of Truss lists, as far as its server needs it here."""
_PATH = "/v1/models/model:predict"
_READY = "/v1/models/model"
_OCTETS = "application/octet-stream"
_CALLS = {"Hop": "Inner", "Fan": "Inner", "Array": "ArrayInner"}


def truss() -> Peer:
    """Return Truss Chains."""
    return Peer(TRUSS, ("truss", *_SERVER), "truss", _launch)


def _launch(stage: Stage, python: Path) -> Scene:
    apps = _generated(stage, python)
    ports = {name: free_port() for name in ("Inner", "ArrayInner", *_CALLS)}
    config = stage.directory / "config"
    config.mkdir()
    urls = {name: {"predict_url": f"http://127.0.0.1:{port}{_PATH}"} for name, port in ports.items()}
    (config / "dynamic_chainlet_config").write_text(json.dumps(urls))
    services = {name: _start(stage, python, apps / name, name, port) for name, port in ports.items()}
    address = {name: f"tcp:{port}" for name, port in ports.items()}
    return Scene(
        {
            "hop": Target(address["Hop"], _PATH),
            "fan": Target(address["Fan"], _PATH),
            "array": Target(address["Array"], _PATH, "msgpack", _OCTETS, _OCTETS),
        },
        idle=tuple(services[name].process.pid for name in ("Inner", "Hop")),
        ready_secs=tuple(services[name].ready_sec for name in ("Inner", "Hop")),
    )


def _generated(stage: Stage, python: Path) -> Path:
    source = stage.directory / "source"
    shutil.copytree(APPS / "truss", source)
    apps = stage.directory / "apps"
    command = [str(python), "generate.py", str(apps)]
    env = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(stage.directory)}
    done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"Truss did not generate its code:\n{done.stderr[-1500:]}")
    return apps


def _start(stage: Stage, python: Path, app: Path, name: str, port: int) -> Service:
    env = {
        **os.environ,
        "HOME": str(stage.directory),
        "PYTHONPATH": ".",
        "OMP_NUM_THREADS": "1",
        "INFERENCE_SERVER_PORT": str(port),
        "TRUSS_SECRET_baseten_chain_api_key": "none",
    }
    command = [str(python), str(stage.directory / "source" / "serve.py"), str(stage.directory / "config")]
    ready = lambda: answers_ok(f"tcp:{port}", _READY)  # noqa: E731  # it is read once, here
    return stage.start(name, command, env=env, cwd=app, is_ready=ready)
