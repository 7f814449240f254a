"""Components beside a chain: applied in the order of their references, with gates before traffic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Chainctl

NAME = "t-components"
WEIGHTS = b"0123456789" * 1000
CHAIN = """\
import pathlib

import chainctl as chains
from chainctl import Component, trigger

weights = chains.Download("weights", path="weights.bin", sha256="{digest}", dest="/models/w")


@chains.mark_entrypoint("t-components")
class Answer(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(volumes=[weights]))

    def __init__(self) -> None:
        self._size = len(pathlib.Path(weights.location).read_bytes())

    def run_remote(self, x: int) -> dict[str, int]:
        return {{"size": self._size, "x": x + {add}}}


class Notify(Component):
    chain: Component
    channel: str

    def on_create(self) -> None:
        self._write("created")

    def cleanup(self) -> None:
        self._write("cleaned up")

    @trigger("apply")
    def start(self) -> str:
        self._write(f"release {{self.chain.release}} at {{bool(self.chain.url)}}")
        return self.channel

    def _write(self, text: str) -> None:
        with open({log!r}, "a") as log:
            log.write(f"{{self.identifier}} {{text}}\\n")


smoke = chains.SmokeTest("smoke", chain=chains.this_chain(), payload={{"x": 1}}, expect={expect})
{notify}
warm = chains.Command("warm", argv=["sh", "-c", "echo $CHAINCTL_CHAIN $CHAINCTL_RELEASE >> {log}"],
                      after=chains.this_chain())
"""
NOTIFY = 'notify = Notify("ops", chain=smoke.chain, channel="#ops")'


class Project:
    """A chain file with components, of which some parts change."""

    def __init__(self, chainctl: Chainctl, directory: Path, target: str) -> None:
        self.chainctl, self.directory, self.target = chainctl, directory, target
        self.log = directory / "log"
        (directory / "weights.bin").write_bytes(WEIGHTS)

    def push(self, *options: str, code: int = 0, **changes: object) -> str:
        self.write(**changes)
        return self.run("push", "chain.py", *options, code=code)

    def write(self, **changes: object) -> bool:
        """Write the chain file."""
        values = {"add": 1, "expect": '{"x": 2}', "notify": NOTIFY, "log": str(self.log)}
        values |= {"digest": hashlib.sha256(WEIGHTS).hexdigest()} | changes
        return bool((self.directory / "chain.py").write_text(CHAIN.format(**values)))

    def run(self, verb: str, *arguments: str, code: int = 0) -> str:
        here = Chainctl(self.chainctl.environ, self.directory)
        done = here(verb, *arguments, "--target", self.target, expect=code)
        return done.stdout + done.stderr

    def call(self, x: int) -> object:
        return json.loads(self.run("call", NAME, json.dumps({"x": x})))

    def lines(self) -> list[str]:
        """What the components wrote since the last look."""
        found = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.write_text("")
        return found


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def project(request: pytest.FixtureRequest, chainctl: Chainctl, tmp_path: Path) -> Iterator[Project]:
    """A project on a target; its chain is taken down in the end."""
    environ = {**chainctl.environ, "CHAINCTL_BUILD_NETWORK": "host"}
    made = Project(Chainctl(environ, chainctl.directory), tmp_path, request.param)
    yield made
    made.run("down", NAME)


# What was applied is recorded beside the target, so these ask nothing more of an engine than the others do.
local_only = pytest.mark.parametrize("project", ["local"], indirect=True)


def test_components_are_applied_around_their_chain(project: Project) -> None:
    """Files before, gates between, the rest after; nothing twice, and with each release again."""
    planned = project.run("plan", "chain.py") if project.write() else ""
    assert "+ Download:weights (runs fetch): new" in planned
    assert "+ SmokeTest:smoke (runs check): new" in planned
    project.push()
    assert project.call(1) == {"size": len(WEIGHTS), "x": 2}
    assert sorted(project.lines()) == ["ops created", "ops release 1 at True", f"{NAME} 1"]
    assert "up to date" in project.push()
    assert project.lines() == []
    assert "Notify:ops" not in project.run("plan", "chain.py")
    project.push(add=2, expect='{"x": 3}')
    assert project.call(1) == {"size": len(WEIGHTS), "x": 3}
    assert sorted(project.lines()) == ["ops release 2 at True", f"{NAME} 2"]


def test_a_release_that_does_not_pass_its_gate_gets_no_traffic(project: Project) -> None:
    """What served serves; the answer is the evidence; the right one passes."""
    project.push()
    project.lines()
    said = project.push(add=5, code=5)
    assert "SmokeTest:smoke.check failed" in said
    assert "`x` of the answer is 6, not 2" in said
    assert project.call(1) == {"size": len(WEIGHTS), "x": 2}
    assert project.lines() == []
    assert [r["release"] for r in json.loads(project.run("history", NAME, "--json"))["releases"]] == [1]
    project.push(add=5, expect='{"x": 6}')
    assert project.call(1) == {"size": len(WEIGHTS), "x": 6}


def test_what_fails_before_the_chain_leaves_it_alone(project: Project) -> None:
    """A file with another digest is no weights; the next push goes on."""
    project.push()
    project.lines()
    said = project.push(digest="0" * 64, add=2, code=1)
    assert "Download:weights.fetch failed" in said
    assert "nothing was deployed" in said
    assert "wanted 0000" in said
    assert project.call(1) == {"size": len(WEIGHTS), "x": 2}


@local_only
def test_two_chains_of_one_file_have_components_of_their_own(project: Project) -> None:
    """One chain neither takes over what the other has applied nor runs it again, nor cleans it up."""
    other = f"{NAME}-2"
    project.push()
    try:
        project.push("--name", other)
        assert sorted(project.lines()) == sorted(
            ["ops created", "ops release 1 at True"] * 2 + [f"{NAME} 1", f"{other} 1"]
        )
        for name in (NAME, other):
            applied = json.loads(project.run("jobs", name, "--json"))["components"]
            assert [(one["identifier"], one["revision"]) for one in applied] == [
                ("warm", 1), ("weights", 1), ("ops", 1), ("smoke", 1)
            ]  # fmt: skip
        assert "up to date" in project.push()
        assert project.lines() == []
    finally:
        project.run("down", other)
    assert project.lines() == ["ops cleaned up"]
    assert "Notify:ops" not in project.run("plan", "chain.py")


@local_only
def test_what_the_file_no_longer_has_is_told_and_pruned(project: Project) -> None:
    """With its own cleanup, though its class is gone from the file."""
    project.push()
    project.lines()
    said = project.push(notify="")
    assert "No longer in the file, but still applied: Notify:ops" in said
    assert project.lines() == [f"{NAME} 2"]
    assert "Removed Notify:ops" in project.push("--prune", notify="")
    assert project.lines() == ["ops cleaned up"]
