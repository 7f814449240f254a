"""An engine behind SSH: images are built there, chains are called, watched and read through that one connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.ssh_tunnel import SshHost
from chainctl.errors import EngineError
from tests.bench.watched import is_told, save, watching
from tests.conftest import ROOT, Chainctl, await_condition, fresh_environ
from tests.docker.ssh_server import SshServer, ssh_server

pytestmark = pytest.mark.docker
CHAIN = """
import chainctl as chains


class Upper(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return text.upper()


@chains.mark_entrypoint
class Remote(chains.ChainletBase):
    def __init__(self, upper=chains.depends(Upper)):
        self._upper = upper

    def run_remote(self, text: str) -> str:
        print("asked", text)
        return self._upper.run_remote(text)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def chainctl(server: SshServer, tmp_path: Path) -> Chainctl:
    """The command, with a target of its own for the engine behind SSH."""
    (tmp_path / "chainctl.toml").write_text(f'[targets.lab]\nkind = "docker"\ndocker_host = "{server.url}"\n')
    environ = {**fresh_environ(tmp_path), "PATH": server.environ()["PATH"], "PYTHONPATH": str(ROOT)}
    environ.pop("DOCKER_HOST", None)
    return Chainctl({**environ, "CHAINCTL_BUILD_NETWORK": "host"}, tmp_path)


def test_a_chain_lives_on_an_engine_behind_ssh(chainctl: Chainctl, server: SshServer, tmp_path: Path) -> None:
    """Built, served, edited, called and read there; its door listens on the loopback address of that machine."""
    file = tmp_path / "remote.py"
    file.write_text(CHAIN)
    try:
        with watching(file, "remote", "lab", chainctl.environ) as watched:
            listed = json.loads(chainctl("ps", "remote", "--target", "lab", "--json").stdout)["chains"][0]
            assert listed["target"] == "lab"
            assert listed["url"].startswith("http://127.0.0.1:")
            assert chainctl("call", "remote", '{"text": "hello"}').stdout == "HELLO\n"
            watched.skip()
            save(file, CHAIN.replace("text.upper()", "text.title()"))
            watched.await_line(is_told, 60)
            assert chainctl("call", "remote", '{"text": "hello"}').stdout == "Hello\n"
            assert "asked hello" in chainctl("logs", "remote").stdout
    finally:
        chainctl("down", "remote", "--target", "lab", timeout=200)
    await_condition(lambda: _no_ssh_left(server), seconds=20)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a name that is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        yield Path(name)


def test_a_command_that_is_killed_leaves_no_connection(server: SshServer, place: Path) -> None:
    """Neither `ssh`, nor the directory of its sockets."""
    program = (
        "import signal; from chainctl.adapters.docker.engine import Engine; "
        "from chainctl.adapters.docker.engine_address import EngineAddress; "
        f"engine = Engine.connect(EngineAddress({server.url!r})); print('there', flush=True); signal.pause()"
    )
    environ = {**os.environ, "PATH": server.environ()["PATH"], "TMPDIR": str(place), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
            assert list(place.iterdir())
        finally:
            process.kill()
    await_condition(lambda: not list(place.iterdir()), seconds=20)
    await_condition(lambda: _no_ssh_left(server), seconds=20)


def test_what_ssh_says_is_told(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that lets nobody in, and one where there is no engine."""
    monkeypatch.setenv("PATH", server.environ()["PATH"])
    with pytest.raises(EngineError, match="SSH does not get to the engine") as raised:
        Engine.connect(EngineAddress(f"ssh://nobody@127.0.0.1:{server.port}"))
    assert any("Permission denied" in line for line in raised.value.details)
    with pytest.raises(EngineError) as raised:
        Engine.connect(EngineAddress(f"{server.url}/nowhere/docker.sock"))
    assert any("/nowhere/docker.sock" in line for line in raised.value.details)


def test_addresses_are_taken_apart() -> None:
    """A password, an option in the place of a host, and a port that is none are refused before anything runs."""
    plain = SshHost("lab")
    assert SshHost.parse("ssh://lab") == plain
    assert SshHost.parse("ssh://ada@lab:22/run/d.sock") == replace(
        plain, user="ada", port=22, socket="/run/d.sock"
    )
    for wrong in (
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://ada:secret@lab",
        "ssh://lab:99999",
        "ssh://lab:x",
    ):
        with pytest.raises(EngineError) as raised:
            SshHost.parse(wrong)
        assert "secret" not in raised.value.message


def _no_ssh_left(server: SshServer) -> bool:
    found = subprocess.run(["pgrep", "-f", f"ssh .*-p {server.port} "], capture_output=True, check=False)
    return not found.stdout
