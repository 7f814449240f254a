"""`chainctl doctor` with a real engine: what it says of it, and what it leaves as it was."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.host_engine import Deadline, engine_facts
from chainctl.adapters.host_facts import EngineFacts
from tests.conftest import Chainctl
from tests.fakes.state import record_release

pytestmark = pytest.mark.docker


@pytest.fixture
def address() -> EngineAddress:
    """The engine that the environment names."""
    return EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home()))


def test_an_engine_is_described(address: EngineAddress) -> None:
    """Version, processors, disk; an image that is there and one that is not."""
    missing = f"chainctl-test/{uuid.uuid4().hex}:none"
    facts = engine_facts(address, ("python:3.11-slim", missing), Deadline(60))
    assert isinstance(facts, EngineFacts)
    assert facts.info == Engine.connect(address).info()
    assert facts.images == (("python:3.11-slim", True), (missing, False))
    if address.url.startswith("unix://") and Path(facts.info.root_dir).is_dir():
        assert facts.disk is not None
        assert facts.disk.free_bytes > 0


def test_the_command_finds_the_engine_in_order(chainctl: Chainctl, address: EngineAddress) -> None:
    """The checks that ask the engine are done, and none of them failed."""
    value = json.loads(chainctl("doctor", "--target", "docker", "--timeout", "60", "--json").stdout)
    checks = {check["check"]: check for check in value["checks"]}
    assert checks["engine"]["status"] == "ok"
    assert address.url in checks["engine"]["found"]
    for check in ("builder", "base image", "front door image", "docker chains"):
        assert checks[check]["status"] == "ok", checks[check]
    assert "local chains" not in checks


def test_a_chain_that_was_removed_behind_our_back_is_left_over(chainctl: Chainctl, tmp_path: Path) -> None:
    """It is recorded, and nothing of it runs; the suggested command forgets it."""
    chain = f"t{uuid.uuid4().hex[:8]}"
    record_release(tmp_path / "state/chainctl", "docker", chain)
    found = left_over(chainctl)
    assert found["status"] == "warn"
    assert found["found"] == f"recorded, but not running: {chain}"
    assert f"chainctl down {chain} --target docker" in found["fix"]
    chainctl("down", chain, "--target", "docker")
    assert left_over(chainctl)["status"] == "ok"


def left_over(chainctl: Chainctl) -> dict[str, str]:
    """What the command says of the chains on the engine."""
    value = json.loads(chainctl("doctor", "--target", "docker", "--timeout", "60", "--json").stdout)
    return next(check for check in value["checks"] if check["check"] == "docker chains")


def test_an_image_of_the_settings_is_looked_for(chainctl: Chainctl) -> None:
    """The base image that a build would use, with its version filled in."""
    environ = {**chainctl.environ, "CHAINCTL_BASE_IMAGE": "none.invalid/python:{version}"}
    done = replace(chainctl, environ=environ)("doctor", "--timeout", "60")
    assert "warn: base image: none.invalid/python:3.11 is not on the engine" in done.stdout
    assert "`docker pull none.invalid/python:3.11`" in done.stdout
