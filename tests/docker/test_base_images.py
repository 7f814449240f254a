"""A real engine asked for its base images: digests, ids, the Python they have, and what is wrong with some."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chainctl.adapters.docker.base_images import DockerBaseImages
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.errors import LockError, Problem
from chainctl.events import Event

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"


@dataclass
class Rig:
    """Base images of one engine, and images made from scratch with a mark of their own."""

    engine: Engine
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    told: list[Event] = field(default_factory=list)

    @property
    def bases(self) -> DockerBaseImages:
        return DockerBaseImages(lambda: self.engine, self.told.append)

    def image(self, name: str, *changes: str) -> str:
        """Make an image of the base with other settings, by committing a container that never ran."""
        tag = f"chainctl-test-bases/{self.mark}:{name}"
        with self.engine.client() as client:
            made = client.create_container(BASE, ["true"])
            try:
                client.commit(made["Id"], tag.partition(":")[0], name, changes=list(changes))
            finally:
                client.remove_container(made["Id"], force=True)
        return tag

    def containers(self) -> list[str]:
        with self.engine.client() as client:
            return [c["Id"] for c in client.containers(all=True, filters={"label": "chainctl.question"})]

    def sweep(self) -> None:
        with self.engine.client() as client:
            for image in client.images(filters={"reference": f"chainctl-test-bases/{self.mark}"}):
                client.remove_image(image["Id"], force=True)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """The engine that the environment names."""
    config = docker_config_dir(os.environ, Path.home())
    rig = Rig(Engine.connect(EngineAddress.resolve(os.environ, config)))
    yield rig
    rig.sweep()


def refused(rig: Rig, image: str, python: str = "python3") -> Problem:
    with pytest.raises(LockError) as caught:
        rig.bases.facts(image, [python])
    (problem,) = caught.value.problems
    return problem


def test_an_image_without_registry_is_pinned_by_its_id(rig: Rig) -> None:
    """And marked as local: the pin means something on this engine only."""
    tag = rig.image("plain")
    digest, is_local = rig.bases.digest(tag)
    with rig.engine.client() as client:
        assert digest == client.inspect_image(tag)["Id"]  # type: ignore[no-untyped-call]  # so in types-docker
    assert is_local


def test_an_image_is_asked_for_its_pythons(rig: Rig) -> None:
    """Whatever its entrypoint, user or working directory; nothing is left of the question."""
    tag = rig.image("odd", 'ENTRYPOINT ["/bin/false"]', "USER 12345", "WORKDIR /proc")
    found = rig.bases.facts(tag, ["python3", "/usr/bin/python3"])
    assert set(found.pythons) == {"python3", "/usr/bin/python3"}
    assert set(found.pythons.values()) == {"3.11"}
    assert found.libc.startswith("glibc 2.")
    assert rig.containers() == []


def test_an_image_without_python_is_refused(rig: Rig) -> None:
    """One that has no such program, one that has another program of that name."""
    problem = refused(rig, rig.image("plain"), "/opt/python")
    assert (problem.code, "/opt/python" in problem.message) == ("CH0811", True)
    assert "python_executable_path" in problem.help
    assert refused(rig, rig.image("plain"), "/bin/false").code == "CH0811"
    assert rig.containers() == []


def test_an_image_that_nobody_has_is_refused(rig: Rig) -> None:
    """With the reason of the registry."""
    absent = f"127.0.0.1:9/chainctl-test/{rig.mark}:1"
    assert refused(rig, absent).code == "CH0812"
    with pytest.raises(LockError) as caught:
        rig.bases.digest(absent)
    assert caught.value.problems[0].code == "CH0812"
    assert caught.value.problems[0].note != ""


@pytest.mark.parametrize("image", ["Upper Case!", "python:{versio}-slim"])
def test_a_name_that_no_image_can_have_is_refused(rig: Rig, image: str) -> None:
    """It is the name that is wrong, not the engine."""
    with pytest.raises(LockError) as caught:
        rig.bases.digest(image)
    assert caught.value.problems[0].code == "CH0812"
    assert "has a name that no image can have" in caught.value.problems[0].message
