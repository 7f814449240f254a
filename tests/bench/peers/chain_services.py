"""A chain file in, the services of its chainlets out: rendered and started as a target would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers.peer import HERE, ROOT
from tests.bench.stage import Service, Stage, StartError, answers_ok, free_port
from tests.bench.venvs import python_of

CHAINS = HERE / "chains"
_INHERITED = ("PATH", "LANG", "HOME", "TMPDIR")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Package:
    """The chainctl that is measured: the root of its sources, and where environments are kept."""

    root: Path = ROOT
    cache: Path = Path("/tmp")  # never used: the run gives its own

    def render(self, chain: str, into: Path) -> Path:
        """Write the build contexts of a chain file; return the directory. Raises StartError."""
        command = [self._own_python(), "-m", "chainctl.cli.main", "render", _file_of(chain), "-o", str(into)]
        env = {**os.environ, "PYTHONPATH": str(self.root)}
        done = subprocess.run(command, env=env, cwd=into.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(f"`chainctl render {chain}.py` failed:\n{done.stderr.strip()}")
        return into

    def version(self) -> str:
        """Return the version that the sources say."""
        found = re.search(r'"([^"]+)"\s*$', (self.root / "chainctl" / "version.py").read_text().strip())
        return found[1] if found else "unknown"

    def _own_python(self) -> str:
        own = self.root / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    def python(self, rendered: Path) -> Path:
        """Return the Python that services run in: what the image would install, and numpy."""
        listed = next(rendered.glob("*/requirements/locked.txt")).read_text().splitlines()
        wanted = [line.split()[0] for line in listed if re.match(r"\w[\w.-]*==", line)]
        return python_of("chainctl-services", [*wanted, "numpy"], self.cache)


@dataclass(frozen=True, slots=True)
class Place:
    """A chainlet that serves: the address that the load calls, and its process."""

    address: str
    service: Service


@dataclass(frozen=True, slots=True)
class ChainRun:
    """How the services of a chain are started: `via` puts another address in the place of a chainlet's."""

    package: Package
    stage: Stage
    env: Mapping[str, str]
    over_unix: bool = False

    def start(self, chain: str, row: Sequence[str], via: Mapping[str, str] | None = None) -> dict[str, Place]:
        """Start the chainlets of `row`, callers first named; the last one is started first."""
        rendered = self.package.render(chain, self.stage.directory / chain)
        python = self.package.python(rendered)
        places: dict[str, Place] = {}
        urls: dict[str, str] = {}
        for name in reversed(row):
            places[name] = self._one(rendered, python, f"{chain}-{name}", name, {**urls, **(via or {})})
            urls[name] = _url(places[name].address)
        return places

    def _one(self, rendered: Path, python: Path, label: str, name: str, urls: Mapping[str, str]) -> Place:
        app = rendered / name.lower() / "app"
        address = self._address(label)
        kind, _, rest = address.partition(":")
        listen = address if kind == "unix" else f"tcp:127.0.0.1:{rest}"
        env = {
            **{key: os.environ[key] for key in _INHERITED if key in os.environ},
            **dict.fromkeys(_THREADS, "1"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": f"{app / 'code'}:{app}",
            "CHAINCTL_LISTEN": listen,
            "CHAINCTL_SERVICES": json.dumps(dict(urls)),
            "CHAINCTL_SECRETS_DIR": str(self.stage.directory),
            "CHAINCTL_CHAIN": "bench",
            "CHAINCTL_SERVICE": label.lower(),
            "CHAINCTL_CHAINLET": name,
            **self.env,
        }
        command = [str(python), "shim.py"]
        ready = lambda: answers_ok(address, "/readyz")  # noqa: E731  # it is read once, here
        return Place(address, self.stage.start(label, command, env=env, cwd=app, is_ready=ready))

    def _address(self, label: str) -> str:
        return f"unix:{self.stage.directory / label}.sock" if self.over_unix else f"tcp:{free_port()}"


def _file_of(chain: str) -> str:
    return str(CHAINS / f"{chain}.py")


def _url(address: str) -> str:
    return address if address.startswith("unix:") else f"http://127.0.0.1:{address.removeprefix('tcp:')}"
