"""A Truss directory in; a service of it by chainctl, and one by Truss's own server, out, both as processes here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.peers.peer import APPS
from tests.bench.peers.truss import truss
from tests.bench.stage import Stage, StartError, answers_ok, free_port
from tests.bench.targets import OURS
from tests.bench.venvs import python_of

PREDICT = "/v1/models/model:predict"
READY = "/v1/models/model"
_THEIRS = "Truss"
_DIRECTORY = APPS / "staged_model"
_CONFIG = {"model_name": "staged", "secrets": {}, "runtime": {"predict_concurrency": 5}}
_SHIM = f"""
from pathlib import Path

from chainctl.server.main import serve

if __name__ == "__main__":
    serve(
        name="staged",
        module="model.model",
        qualname="Model",
        app_dir=Path(__file__).resolve().parent,
        truss_config={_CONFIG!r},
    )
"""


def staged_models(stage: Stage, cache: Path) -> dict[str, int]:
    """Start the same model under both servers; return the port of each, ours first. Raises StartError."""
    return {OURS: _ours(stage), _THEIRS: _theirs(stage, python_of("truss", truss().requirements, cache))}


def _ours(stage: Stage) -> int:
    app, port = stage.directory / "ours", free_port()
    shutil.copytree(_DIRECTORY, app)
    (app / "shim.py").write_text(_SHIM)
    env = {
        **os.environ,
        "CHAINCTL_LISTEN": f"tcp:127.0.0.1:{port}",
        "CHAINCTL_SECRETS_DIR": str(stage.directory),
    }
    _start(stage, "ours", [sys.executable, "shim.py"], env, app, port)
    return port


def _theirs(stage: Stage, python: Path) -> int:
    app, port = stage.directory / "theirs", free_port()
    command = [str(python), str(APPS / "staged_model_out.py"), str(_DIRECTORY), str(app)]
    env = {**os.environ, "HOME": str(stage.directory), "PYTHONPATH": ".", "INFERENCE_SERVER_PORT": str(port)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"Truss did not lay its server out:\n{done.stderr[-1500:]}")
    _start(stage, "theirs", [str(python), "main.py"], env, app, port)
    return port


def _start(stage: Stage, name: str, command: list[str], env: dict[str, str], app: Path, port: int) -> None:
    ready = lambda: answers_ok(f"tcp:{port}", READY)  # noqa: E731  # it is read once, here
    stage.start(name, command, env=env, cwd=app, is_ready=ready)
