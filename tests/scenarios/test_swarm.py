"""A chain on a swarm, by the commands that a user types: the same as anywhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine import Engine
from tests.conftest import ROOT, Chainctl, fresh_environ
from tests.docker.swarm_rig import engine, swarm

pytestmark = pytest.mark.docker
__all__ = ["engine", "swarm"]
CHAIN = """
import chainctl as chains


class Upper(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(memory="256Mi"))

    def run_remote(self, text: str) -> str:
        return text.upper()


@chains.mark_entrypoint
class Swarmed(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi"), assets=chains.Assets(secret_keys=["word"])
    )

    def __init__(self, upper=chains.depends(Upper), context=chains.depends_context()):
        self._upper, self._word = upper, context.secrets["word"]

    def run_remote(self, text: str) -> str:
        print("asked", text)
        return f"{self._upper.run_remote(text)} {self._word}"
"""


def test_a_chain_lives_on_a_swarm(swarm: Engine, tmp_path: Path) -> None:
    """Pushed, called, edited, scaled, given another secret, read, rolled back and taken down."""
    environ = {**fresh_environ(tmp_path), "PYTHONPATH": str(ROOT), "CHAINCTL_BUILD_NETWORK": "host"}
    chainctl = Chainctl({**environ, "CHAINCTL_SECRET_WORD": "one"}, tmp_path)
    again = Chainctl({**environ, "CHAINCTL_SECRET_WORD": "two"}, tmp_path)
    file = tmp_path / "swarmed.py"
    file.write_text(CHAIN)

    def call(text: str) -> str:
        return chainctl("call", "swarmed", json.dumps({"text": text})).stdout.strip()

    try:
        chainctl("push", str(file), "--target", "swarm", timeout=500)
        assert call("hello") == "HELLO one"
        file.write_text(CHAIN.replace("text.upper()", "text.title()"))
        chainctl("push", str(file), "--target", "swarm", timeout=500)
        assert call("hello") == "Hello one"
        again("push", str(file), "--target", "swarm", timeout=500)
        assert call("hello") == "Hello two"
        chainctl("scale", "swarmed/Upper=2", timeout=300)
        listed = json.loads(chainctl("ps", "swarmed", "--target", "swarm", "--json").stdout)["chains"][0]
        assert sorted((one["chainlet"], one["replica"]) for one in listed["services"]) == [
            ("Swarmed", 1), ("Upper", 1), ("Upper", 2),
        ]  # fmt: skip
        assert "asked hello" in chainctl("logs", "swarmed").stdout
        refused = chainctl("intercept", "swarmed/Upper", str(file), expect=2).stderr
        assert "can not be intercepted" in refused
        again("rollback", "swarmed", "--to", "1", timeout=300)
        assert call("hello") == "HELLO two"
    finally:
        chainctl("down", "swarmed", "--target", "swarm", timeout=300)
    assert chainctl("ps", "swarmed", "--target", "swarm").stdout == ""


def test_one_name_is_of_one_target(swarm: Engine, tmp_path: Path) -> None:
    """On one engine: what runs as containers is not taken for services of the swarm, nor taken down as such."""
    environ = {**fresh_environ(tmp_path), "PYTHONPATH": str(ROOT), "CHAINCTL_BUILD_NETWORK": "host"}
    chainctl = Chainctl({**environ, "CHAINCTL_SECRET_WORD": "one"}, tmp_path)
    file = tmp_path / "twice.py"
    file.write_text(CHAIN)
    try:
        chainctl("push", str(file), "--name", "twice", "--target", "docker", timeout=500)
        refused = chainctl("push", str(file), "--name", "twice", "--target", "swarm", expect=5).stderr
        assert "runs on this engine already, on the target docker" in refused
        assert "down twice --target docker" in refused
        assert "twice" not in chainctl("ps", "--target", "swarm").stdout
    finally:
        chainctl("down", "twice", "--target", "docker", timeout=300)


def test_what_no_node_has_is_told_before_anything_is_built(swarm: Engine, tmp_path: Path) -> None:
    """By the plan as by the push; nothing is left of it."""
    environ = {**fresh_environ(tmp_path), "PYTHONPATH": str(ROOT), "CHAINCTL_SECRET_WORD": "one"}
    chainctl = Chainctl({**environ, "CHAINCTL_BUILD_NETWORK": "host"}, tmp_path)
    file = tmp_path / "nowhere.py"
    file.write_text(CHAIN.replace('memory="256Mi")', 'memory="256Mi", node_labels={"disk": "ssd"})'))
    for verb in ("plan", "push"):
        refused = chainctl(verb, str(file), "--name", "nowhere", "--target", "swarm", expect=5).stderr
        assert "may run only on nodes labelled disk=ssd, and there is none" in refused
        assert "docker node update --label-add disk=ssd" in refused
        assert "built" not in refused
    assert chainctl("ps", "nowhere", "--target", "swarm").stdout == ""
