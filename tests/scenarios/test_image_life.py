"""The life of images as a user meets it: pushed to a registry, listed, described, removed."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chainctl.cli.surroundings import this_platform
from tests.conftest import ROOT, Chainctl, fresh_environ
from tests.docker.registry_server import PASSWORD, RegistryServer, docker_config, serving

TARGETS = ["local", pytest.param("docker", marks=pytest.mark.docker)]
CHAIN = """\
import chainctl as chains


@chains.mark_entrypoint("life")
class Life(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    def run_remote(self) -> int:
        return {answer}
"""


class Project:
    """A chain file of the test's own; releases of it are pushed to one target."""

    def __init__(self, directory: Path, target: str) -> None:
        self.file = directory / "life.py"
        self.name = f"life-{uuid.uuid4().hex[:12]}"
        self.target = target
        self.environ = fresh_environ(directory)
        self.chainctl = Chainctl(self.environ, ROOT)
        self.was_pushed = False
        self.write(1)

    def write(self, answer: int) -> None:
        self.file.write_text(CHAIN.format(answer=answer), encoding="utf-8")

    def push(self, *arguments: str, expect: int = 0) -> Any:
        """Push as it is now; what --json said, or stderr when it fails."""
        done = self.chainctl(
            "push", str(self.file), "--name", self.name, "--target", self.target, "--json", *arguments,
            expect=expect, timeout=600,
        )  # fmt: skip
        self.was_pushed |= not expect
        return done.stderr if expect else json.loads(done.stdout)

    def images(self) -> list[dict[str, Any]]:
        said = self.chainctl("images", self.name, "--target", self.target, "--json").stdout
        return list(json.loads(said)["images"])

    def gc(self, *arguments: str) -> dict[str, Any]:
        said = self.chainctl("gc", self.name, "--target", self.target, "--json", *arguments).stdout
        (target,) = json.loads(said)["targets"]
        return dict(target)

    def end(self) -> None:
        """Take the chain down, with its images: those of the engine by its label."""
        if self.was_pushed:
            self.chainctl("down", self.name, "--target", self.target)
        if self.target == "docker":
            from chainctl.adapters.docker.engine import Engine
            from chainctl.adapters.docker.engine_address import EngineAddress

            engine = Engine.connect(EngineAddress.resolve(self.chainctl.environ, Path("/nonexistent")))
            with engine.client() as client:
                for image in client.images(filters={"label": f"chainctl.chain={self.name}"}):
                    client.remove_image(image["Id"], force=True)


@pytest.fixture
def project(tmp_path: Path, target: str) -> Iterator[Project]:
    """A chain that is taken down in the end."""
    project = Project(tmp_path, target)
    yield project
    project.end()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that wants a login."""
    directory = tmp_path / "registry"
    directory.mkdir()
    with serving(directory, has_auth=True) as found:
        yield found


@pytest.mark.parametrize("target", TARGETS)
def test_images_are_listed_and_kept(project: Project) -> None:
    """With their releases; an image that was just built is kept, whatever the number of releases."""
    for answer in (1, 2):
        project.write(answer)
        project.push()
    images = {tuple(r["release"] for r in image["releases"]): image for image in project.images()}
    assert sorted(images) == [(1,), (2,)]
    assert bool(images[(2,)]["running"])
    assert not images[(1,)]["running"]
    planned = project.gc("--keep", "1", "--yes")
    assert planned["removals"] == []
    causes = sorted(kept["cause"].partition(" ")[2] for kept in planned["kept"])
    assert causes == ["is new: a push may be under way", "runs from it"]
    text = project.chainctl("images", project.name, "--target", project.target).stdout.splitlines()
    assert text[0].split() == [
        "CHAIN",
        "CHAINLET",
        "TAG",
        "TARGET",
        "SIZE",
        "OWN",
        "AGE",
        "RELEASES",
        "STATE",
    ]
    assert len(text) == 3


@pytest.mark.docker
@pytest.mark.parametrize("target", ["docker"])
def test_a_release_is_published_and_described(
    project: Project, guarded: RegistryServer, tmp_path: Path
) -> None:
    """Without a login it is refused and nothing is started; with one the release has the digest."""
    there = f"{guarded.host}/models"
    said = project.push("--registry", there, expect=4)
    assert f"The registry {guarded.host} wants credentials" in said
    assert f"docker login {guarded.host}" in said
    assert json.loads(project.chainctl("ps", project.name, "--json").stdout)["chains"] == []
    project.environ["DOCKER_CONFIG"] = str(docker_config(tmp_path / "docker", guarded.host))
    pushed = project.push("--registry", there)
    assert pushed["images"]["Life"].startswith(f"{there}/{project.name}/life@sha256:")
    assert project.push("--registry", there)["release"] == pushed["release"]
    with closing(sqlite3.connect(tmp_path / "state/chainctl/state.db")) as connection:
        ((release,),) = connection.execute("SELECT data FROM revision").fetchall()
    assert pushed["images"]["Life"] in release
    assert PASSWORD not in release
    (image,) = project.images()
    assert len(image["names"]) == 2
    bill = json.loads(project.chainctl("sbom", f"{project.name}/Life").stdout)
    same = project.chainctl("sbom", str(project.file), "--name", project.name, "--target", "docker").stdout
    assert json.loads(same) == bill
    packages = {c["name"]: c for c in bill["components"]}
    assert packages["pydantic"]["externalReferences"][0]["hashes"]
    assert packages["python"]["hashes"]


@pytest.mark.parametrize("target", ["local"])
def test_local_processes_have_nothing_to_publish(project: Project) -> None:
    """Nor is there an image to look into; both say where there is one."""
    assert "Local processes have no images to publish" in project.push("--registry", "r.test/x", expect=2)
    project.push()
    said = project.chainctl("sbom", f"{project.name}/Life", "--target", "local", expect=2).stderr
    assert "--target docker" in said
    assert "no chainlet called Other" in project.chainctl("sbom", f"{project.name}/Other", expect=2).stderr


@pytest.mark.docker
@pytest.mark.parametrize("target", ["docker"])
def test_a_base_of_another_platform_is_told(project: Project) -> None:
    """No registry is reached here, and the engine has the base for its own platform alone."""
    own = this_platform()
    other = "linux/amd64" if own == "linux/arm64" else "linux/arm64"
    said = project.push("--platform", other, "--no-locked", expect=4)
    assert own in said
    assert other in said
