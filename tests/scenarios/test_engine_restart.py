"""What serves comes back when the engine restarts. Only for an engine that tests/engine/up has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chainctl, await_condition

STATE = Path(os.environ.get("CHAINCTL_TEST_ENGINE", "/var/lib/chainctl-test-engine"))
CHAIN = """
import chainctl as chains


@chains.mark_entrypoint("revive")
class Reader(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi"), assets=chains.Assets(secret_keys=["api_token"])
    )

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()):
        self._context = context

    def run_remote(self) -> int:
        return len(self._context.secrets["api_token"])
"""


@pytest.mark.docker
def test_a_chain_survives_the_engine(chainctl: Chainctl, tmp_path: Path) -> None:
    """Kill the engine, start it again: the chain answers at the same address, its secret is there."""
    pid = _own_engine()
    if pid is None:
        pytest.skip("the engine was not started by tests/engine/up, so it is not ours to restart")
    file = tmp_path / "revive.py"
    file.write_text(CHAIN, encoding="utf-8")
    secrets = tmp_path / "secrets.env"
    secrets.write_text("api_token=sesame\n", encoding="utf-8")
    try:
        url = chainctl("push", str(file), "--target", "docker", "--secrets", str(secrets), timeout=600).stdout
        _restart(pid)
        await_condition(lambda: _answers(chainctl), seconds=90)
        again = chainctl("push", str(file), "--target", "docker", "--secrets", str(secrets), "--json")
        result = json.loads(again.stdout)
        assert result["url"] == url.strip()
        assert result["changed"] is False
    finally:
        chainctl("down", "revive", "--target", "docker")


def _own_engine() -> int | None:
    path = STATE / "dockerd.pid"
    return int(path.read_text()) if path.is_file() else None


def _restart(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    await_condition(lambda: not Path(f"/proc/{pid}").exists(), seconds=60)
    subprocess.run([str(ROOT / "tests" / "engine" / "up")], check=True, capture_output=True)


def _answers(chainctl: Chainctl) -> bool:
    command = [*Chainctl.COMMAND, "call", "revive", "{}", "--target", "docker"]
    done = subprocess.run(command, env=dict(chainctl.environ), capture_output=True, text=True, check=False)
    return done.stdout == "6\n"
