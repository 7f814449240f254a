"""What all tests share: the engine or a loud skip, golden files, commands run as a user would."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import hypothesis
import pytest

from tests.turns import take_turns

ROOT = Path(__file__).resolve().parent.parent
ENGINE_TIMEOUT_SEC = 10

hypothesis.settings.register_profile(
    "fuzz", max_examples=3000, derandomize=False, deadline=None, print_blob=True
)


def pytest_configure(config: pytest.Config) -> None:
    """Let commands be interrupted, which a shell that starts tests in the background prevents; take turns."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    take_turns(config)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--golden-update`, which writes golden files anew instead of comparing them."""
    parser.addoption("--golden-update", action="store_true", help="write golden files anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked `docker` where no engine answers; where one is required, fail instead."""
    if not os.environ.get("CHAINCTL_TEST_LOAD"):
        for item in items:
            if item.get_closest_marker("load"):
                item.add_marker(pytest.mark.skip(reason="needs the machine to itself: `make test-load`"))
    if not os.environ.get("CHAINCTL_TEST_CLUSTER_ENGINE"):
        for item in items:
            if item.get_closest_marker("kubernetes"):
                item.add_marker(pytest.mark.skip(reason="needs a cluster: `make test-kubernetes`"))
    if not os.environ.get("CHAINCTL_TEST_SWARM"):
        for item in items:
            if item.get_closest_marker("swarm"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: `make test-swarm`"))
    marked = [item for item in items if item.get_closest_marker("docker")]
    if not marked or _engine_answers():
        return
    if os.environ.get("CI") == "true" or os.environ.get("CHAINCTL_TEST_REQUIRE_ENGINE"):
        raise pytest.UsageError("tests need a Docker Engine and none answers: run tests/engine/up")
    reason = f"NO DOCKER ENGINE: {len(marked)} tests on a real engine are skipped (run tests/engine/up)"
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=reason))
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.write_line(reason, red=True, bold=True)


def _engine_answers() -> bool:
    from chainctl.adapters.docker.engine import Engine
    from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
    from chainctl.errors import ChainctlError

    try:
        Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    except ChainctlError:
        return False
    return True


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with a file of tests/golden, or write it when asked to."""

    def check(name: str, actual: str) -> None:
        path = ROOT / "tests" / "golden" / name
        if request.config.getoption("--golden-update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, encoding="utf-8")
        assert actual == path.read_text(encoding="utf-8")

    return check


def await_condition(holds: Callable[[], bool], *, seconds: float) -> None:
    """Ask again and again until something holds. Fails when it does not within the time."""
    waiting = threading.Event()
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not hold within {seconds} s"
        waiting.wait(0.2)


@dataclass(frozen=True)
class Chainctl:
    """Runs the command in a process of its own, with state and settings of its own."""

    COMMAND: ClassVar = (sys.executable, "-m", "chainctl.cli.main")

    environ: Mapping[str, str]
    directory: Path

    def __call__(
        self, *arguments: str, stdin: str = "", expect: int = 0, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run `chainctl ARGUMENTS` and check its exit code."""
        done = subprocess.run(  # the command under test
            [*self.COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=dict(self.environ),
            cwd=self.directory,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == expect, (
            f"exit {done.returncode}, not {expect}:\n{done.stdout}\n{done.stderr}"
        )
        return done


@pytest.fixture
def chainctl(tmp_path: Path) -> Chainctl:
    """The command with an empty state directory, an empty configuration, no secrets, no colours."""
    return Chainctl(fresh_environ(tmp_path), ROOT)


def fresh_environ(directory: Path) -> dict[str, str]:
    """Return an environment whose state and configuration are in a directory, and that has no settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHAINCTL_", "XDG_")) and k != "CI"}
    return {
        **kept,
        "XDG_STATE_HOME": str(directory / "state"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "NO_COLOR": "1",
    }


def docker_context_away(directory: Path) -> Path:
    """Return a configuration of Docker whose current context is an engine that does not listen."""
    config = directory / "docker"
    context = config / "contexts" / "meta" / hashlib.sha256(b"away").hexdigest() / "meta.json"
    context.parent.mkdir(parents=True)
    context.write_text(json.dumps({"Endpoints": {"docker": {"Host": f"unix://{directory}/none.sock"}}}))
    (config / "config.json").write_text(json.dumps({"currentContext": "away"}))
    return config
