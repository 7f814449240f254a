"""`chainctl build` and the reasons in `chainctl plan`, as a user meets them."""

from __future__ import annotations

import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from tests.conftest import Chainctl

CHAIN = """
import chainctl as chains
from transcribe import Transcribe

@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, transcribe: Transcribe = chains.depends(Transcribe)) -> None:
        self._transcribe = transcribe

    def run_remote(self, text: str) -> str:
        return self._transcribe.run_remote(text)
"""
TRANSCRIBE = """
import chainctl as chains
from helpers import shout

class Transcribe(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["KEY"]))

    def run_remote(self, text: str) -> str:
        return shout(text)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A chain of two chainlets, one of which needs a secret and a helper."""
    files = {"chain.py": CHAIN, "transcribe.py": TRANSCRIBE, "helpers.py": "def shout(t): return t.upper()\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "chain.py"


def build(chainctl: Chainctl, project: Path, *options: str) -> str:
    done = chainctl("build", str(project), "--target", "local", "--quiet", *options)
    return re.sub(r":[0-9a-f]{16}", "", done.stdout)


def test_images_are_built_without_a_release(chainctl: Chainctl, project: Path) -> None:
    """Each once, without the chain's secrets; nothing runs, and no release is recorded."""
    assert build(chainctl, project) == (
        "+ image front/front (Front): built, the first of this chain\n"
        "+ image front/transcribe (Transcribe): built, the first of this chain\n"
    )
    assert build(chainctl, project) == (
        "= image front/front (Front): reuse\n= image front/transcribe (Transcribe): reuse\n"
    )
    assert json.loads(chainctl("ps", "--target", "local", "--json").stdout)["chains"] == []


def test_a_pushed_chain_knows_what_changed(chainctl: Chainctl, project: Path, tmp_path: Path) -> None:
    """From the plan over the build to the push, as text and as JSON."""
    secrets = tmp_path / "secrets.env"
    secrets.write_text("KEY=value\n")
    given = ("--target", "local", "--secrets", str(secrets))
    chainctl("push", str(project), *given)
    try:
        (tmp_path / "helpers.py").write_text("def shout(t): return t\n")
        (tmp_path / "transcribe.py").write_text(TRANSCRIBE.replace("[", "[  "))
        helper = "helpers.py changed (imported by transcribe.py:3)"
        plan = chainctl("plan", str(project), *given).stdout
        assert f" (Transcribe): build, {helper}, and 1 more\n" in plan
        offline = chainctl("plan", str(project), "--offline", "--exit-code", expect=10).stdout
        assert offline.splitlines() == plan.splitlines()[:2]
        full = chainctl("plan", str(project), *given, "--explain").stdout
        assert f" (Transcribe): build\n    {helper}\n    transcribe.py changed\n" in full
        shown = json.loads(build(chainctl, project, "--json"))
        assert (shown["format_version"], shown["chain"], shown["compared_with"]) == (1, "front", 1)
        assert [image["action"] for image in shown["images"]] == ["built", "built"]
        assert shown["images"][1]["reasons"][0] == {
            "text": helper, "input": "file", "name": "helpers.py", "change": "changed",
        }  # fmt: skip
        assert [i["action"] for i in json.loads(build(chainctl, project, "--json"))["images"]] == [
            "reuse"
        ] * 2
        (tmp_path / "helpers.py").write_text("def shout(t): return t * 2\n")
        told = chainctl("push", str(project), *given).stderr
        assert "Transcribe: building front/transcribe:" in told
        assert helper in told
    finally:
        chainctl("down", "front", "--target", "local")


def remove_images(*names: str) -> None:
    """Take images away behind chainctl's back; those that are there."""
    engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    with engine.client() as client:
        there = {tag for image in client.images() for tag in image.get("RepoTags") or ()}
        for name in there.intersection(names):
            client.remove_image(name, force=True)


@pytest.mark.docker
def test_an_engine_that_lost_an_image_is_told_so(chainctl: Chainctl, project: Path, tmp_path: Path) -> None:
    """A build makes what a push then finds; an image that somebody removes is built again, for that reason."""
    name = f"reasons-{uuid.uuid4().hex[:8]}"
    (tmp_path / "secrets.env").write_text("KEY=value\n")
    secrets = ("--secrets", str(tmp_path / "secrets.env"))

    def run(verb: str, *options: str) -> dict[str, Any]:
        given = (str(project), "--name", name, "--target", "docker", "--json")
        shown: dict[str, Any] = json.loads(chainctl(verb, *given, *options, timeout=600).stdout)
        return shown

    images = list[str]()
    try:
        images += [image["image"] for image in run("build", "--quiet")["images"]]
        assert run("push", "--quiet", *secrets)["built"] == []
        remove_images(images[1])
        (front, transcribe) = run("plan", *secrets)["images"]
        assert (front["action"], transcribe["action"]) == ("reuse", "build")
        assert transcribe["reasons"] == [{"text": "the image is gone from the engine"}]
        (tmp_path / "helpers.py").write_text("def shout(t): return t\n")
        images += [image["image"] for image in run("build", "--quiet")["images"]]
        assert run("push", "--quiet", *secrets)["release"] == 2
    finally:
        chainctl("down", name, "--target", "docker")
        remove_images(*images)


def test_a_problem_of_the_chain_is_said_before_anything_is_built(chainctl: Chainctl, tmp_path: Path) -> None:
    """With its exit code."""
    (tmp_path / "chain.py").write_text("import chainctl as chains\n")
    done = chainctl("build", str(tmp_path / "chain.py"), "--target", "local", expect=3)
    assert done.stdout == ""


def test_offline_nothing_is_asked(chainctl: Chainctl, project: Path) -> None:
    """No engine, no secret; a chain that was never pushed would be built."""
    environ = {**chainctl.environ, "DOCKER_HOST": "tcp://127.0.0.1:1"}
    done = Chainctl(environ, chainctl.directory)("plan", str(project), "--offline", "--json")
    shown = json.loads(done.stdout)
    assert (shown["target"], shown["compared_with"], shown["has_changes"]) == ("docker", None, True)
    assert {image["action"] for image in shown["images"]} == {"build"}
    assert done.stderr == ""


def test_an_engine_that_does_not_answer_is_said(chainctl: Chainctl, project: Path) -> None:
    """A build needs one; the exit code is its own."""
    environ = {**chainctl.environ, "DOCKER_HOST": "tcp://127.0.0.1:1"}
    Chainctl(environ, chainctl.directory)("build", str(project), "--target", "docker", expect=6)
