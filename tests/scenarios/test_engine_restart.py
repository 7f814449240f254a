"""What serves comes back when the engine restarts. Only for an engine that tests/engine/up has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
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


@pytest.mark.alone
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


SLOW_CHAIN = """
import chainctl as chains


@chains.mark_entrypoint("halfway")
class Slow(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi"), build_commands=["echo {nonce}; sleep 20"]
    )

    def run_remote(self) -> str:
        return "there"
"""


@pytest.mark.alone
@pytest.mark.docker
def test_an_engine_that_dies_in_the_middle_of_a_push(chainctl: Chainctl, tmp_path: Path) -> None:
    """Exit code 6 and what to do; once the engine is back, the same push goes through."""
    pid = _own_engine()
    if pid is None:
        pytest.skip("the engine was not started by tests/engine/up, so it is not ours to kill")
    file = tmp_path / "halfway.py"
    file.write_text(SLOW_CHAIN.replace("{nonce}", uuid.uuid4().hex), encoding="utf-8")
    push = subprocess.Popen(
        [*Chainctl.COMMAND, "push", str(file), "--target", "docker"],
        env=dict(chainctl.environ), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert push.stderr is not None
    try:
        lines = []
        for line in push.stderr:
            lines.append(line)
            if "sleep 20" in line:
                os.kill(pid, signal.SIGKILL)
        push.stderr.close()
        assert push.wait(timeout=120) == 6, "".join(lines)
        assert "push again" in "".join(lines)
        _restart(pid)
        chainctl("push", str(file), "--target", "docker", timeout=600)
        assert chainctl("call", "halfway", "{}", "--target", "docker").stdout == "there\n"
    finally:
        subprocess.run([str(ROOT / "tests" / "engine" / "up")], check=True, capture_output=True)
        chainctl("down", "halfway", "--target", "docker")


def _own_engine() -> int | None:
    path = STATE / "dockerd.pid"
    return int(path.read_text()) if path.is_file() else None


def _restart(pid: int) -> None:
    """End the engine with this process id, unless it has ended, and bring one up."""
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, signal.SIGTERM)
        await_condition(lambda: not Path(f"/proc/{pid}").exists(), seconds=60)
    subprocess.run([str(ROOT / "tests" / "engine" / "up")], check=True, capture_output=True)


def _answers(chainctl: Chainctl) -> bool:
    command = [*Chainctl.COMMAND, "call", "revive", "{}", "--target", "docker"]
    done = subprocess.run(command, env=dict(chainctl.environ), capture_output=True, text=True, check=False)
    return done.stdout == "6\n"
