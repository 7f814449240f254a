"""The requirements of a peer in, the Python of a virtual environment that has them out; kept between runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_INSTALL_SEC = 900


class InstallError(Exception):
    """A peer could not be installed; the message has what pip said last."""


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return where environments are kept."""
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "chainctl-bench"


def python_of(name: str, requirements: Sequence[str], cache: Path) -> Path:
    """Return the Python of the environment, made first where it is not there yet. Raises InstallError."""
    key = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:8]
    directory = cache / f"{name}-{key}"
    python = directory / "bin" / "python"
    done = directory / "installed"
    if not done.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(directory)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
        done.touch()
    return python


def version_of(python: Path, distribution: str) -> str:
    """Return the version of what is installed in an environment."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def _run(command: Sequence[str]) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_INSTALL_SEC, check=False)
    if done.returncode:
        raise InstallError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed")
