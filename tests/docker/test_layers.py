"""Locked images on a real engine: what they share, what an edit costs, what is left behind."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.build.lock import BaseFacts, Environment, Lock, LockedPackage
from chainctl.build.plan import BuildPlan, ImagePlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SnapshotFile, SourceSnapshot
from chainctl.errors import BuildError, EngineError
from chainctl.events import BuildLogged, BuildStepped, Event
from chainctl.workflows.build import build
from tests.fakes.chains import chainlet, graph_of, snapshot_file, still_clock

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"
IDNA = LockedPackage(
    "idna",
    "idna==3.10",
    (
        "sha256:12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9",
        "sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3",
    ),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that the environment names."""
    config = docker_config_dir(os.environ, Path.home())
    try:
        return Engine.connect(EngineAddress.resolve(os.environ, config))
    except EngineError as error:
        pytest.skip(f"{error.message}; see tests/engine/up")


@dataclass(frozen=True)
class Yard:
    """A chain of its own name, whose environment no earlier build has installed."""

    engine: Engine
    is_buildkit: bool
    directory: Path
    chain: str = field(default_factory=lambda: f"layers-{uuid.uuid4().hex[:12]}")

    @property
    def backend(self) -> DockerBuildBackend:
        return DockerBuildBackend(self.engine, network="host", use_buildkit=self.is_buildkit)

    def plan(
        self,
        *names: str,
        code: str = "",
        config: dict[str, Any] | None = None,
        package: LockedPackage = IDNA,
        base_id: str = "",
    ) -> BuildPlan:
        """Plan images of one environment; each chainlet has a file of its own, and `code` in it."""
        never = LockedPackage("nothing", "six==1.17.0", marker=f"platform_machine == '{self.chain}'")
        environment = Environment("0" * 64, "3.11", "linux/amd64", (package, never))
        lock = Lock(
            {"e": environment},
            dict.fromkeys(names, "e"),
            {BASE: base_id} if base_id else {},
            {BASE: BaseFacts(is_local=True)},
        )
        specs = [chainlet(name, files=[f"{name}.py"], config=config) for name in names]
        graph = graph_of({name: [] for name in names}, specs=specs)
        return plan_build(graph, self.chain, self.snapshot(names, code), BuildSettings(), lock)

    def snapshot(self, names: Sequence[str], code: str) -> SourceSnapshot:
        files = [self.file(f"{name}.py", f"# {name} {code}\n") for name in names]
        runtime = self.file("runtime.py", "# runtime\n")
        return SourceSnapshot(
            files={f"/project/{Path(file.source).name}": file for file in files},
            trees={},
            texts={},
            runtime={"__init__.py": runtime},
        )

    def file(self, name: str, text: str) -> SnapshotFile:
        path = self.directory / name
        path.write_text(text)
        return snapshot_file(str(path), text)

    def build(self, plan: BuildPlan) -> list[Event]:
        """Build all images of a plan as a push does; returns what was told."""
        told: list[Event] = []
        build(plan, self.backend, None, told.append, still_clock)
        return told

    def layers(self, image: ImagePlan) -> list[str]:
        with self.engine.client() as client:
            return list(_inspected(client, str(image.ref))["RootFS"]["Layers"])

    def listing(self, image: ImagePlan, path: str) -> list[str]:
        """Names of all that is below a directory of an image."""
        with self.engine.client() as client:
            made = client.create_container(str(image.ref))
            try:
                chunks, _ = client.get_archive(made["Id"], path)
                data = b"".join(chunks)
            finally:
                client.remove_container(made["Id"], force=True)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return sorted(tar.getnames())

    def sweep(self) -> None:
        """Remove every image of the chain."""
        with self.engine.client() as client:
            for image in client.images(filters={"label": f"chainctl.chain={self.chain}"}):
                client.remove_image(image["Id"], force=True)


@pytest.fixture(params=[True, False], ids=["buildkit", "classic"])
def yard(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Yard]:
    """A yard for each builder, swept in the end."""
    yard = Yard(engine, request.param, tmp_path)
    yield yard
    yard.sweep()


def _inspected(client: APIClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.inspect_image(name)  # type: ignore[no-untyped-call]  # so in types-docker
    return found


def steps_of(told: list[Event], chainlet: str) -> list[BuildStepped]:
    return [e for e in told if isinstance(e, BuildStepped) and e.chainlet == chainlet]


def test_images_of_one_environment_share_its_layers(yard: Yard) -> None:
    """Built at once, installed once: layers that were made twice would differ by their times."""
    plan = yard.plan("A", "B", "C", "D")
    yard.build(plan)
    layers = [yard.layers(image) for image in plan.images]
    own = 2  # the shim and the code
    assert len({tuple(one[:-own]) for one in layers}) == 1
    assert len({one[-1] for one in layers}) == len(layers)
    names = yard.listing(plan.images[0], "/usr/local/lib/python3.11/dist-packages/idna")
    assert "idna/core.py" in names
    assert any(name.startswith("idna/__pycache__/core.") for name in names)


def test_an_installation_leaves_nothing_behind(yard: Yard) -> None:
    """No uv, no cache, no requirements; the account of the chainlet is there."""
    (image,) = yard.plan("A").images
    yard.build(BuildPlan((image,)))
    assert yard.listing(image, "/mnt") == ["mnt"]
    assert yard.listing(image, "/tmp") == ["tmp"]
    assert [name for name in yard.listing(image, "/root") if "cache" in name or "local" in name] == []
    assert not any("/uv" in name for name in yard.listing(image, "/usr/local"))


def test_an_edit_of_code_only_copies_it(yard: Yard) -> None:
    """All steps but the last are cached, and nothing is installed or compiled."""
    yard.build(yard.plan("A", code="one"))
    edited = yard.plan("A", code="two")
    told = yard.build(edited)
    fresh = [step.step for step in steps_of(told, "A") if not step.cached]
    run = [step for step in fresh if "RUN" in step or "COPY" in step]
    assert [step.rpartition("] ")[2] for step in run] == ["COPY app/code/ /app/code/"]
    assert not any(isinstance(event, BuildLogged) for event in told)


def test_a_repeat_builds_nothing(yard: Yard) -> None:
    """The engine is not even asked."""
    plan = yard.plan("A")
    yard.build(plan)
    assert yard.build(plan) == []


def test_debian_packages_leave_no_lists_and_no_archives(yard: Yard) -> None:
    """They were in a cache, or are gone with it."""
    (image,) = yard.plan("A", config={"docker_image": {"apt_requirements": ["hello"]}}).images
    yard.build(BuildPlan((image,)))
    assert "bin/hello" in yard.listing(image, "/usr/bin")
    assert yard.listing(image, "/mnt") == ["mnt"]
    lists = [name for name in yard.listing(image, "/var/lib/apt/lists") if not name.endswith("partial")]
    assert lists == ["lists"]
    assert [n for n in yard.listing(image, "/var/cache/apt") if n.endswith(".deb")] == []


def test_another_file_than_the_locked_one_is_not_installed(yard: Yard) -> None:
    """The error says so, and names the next command."""
    plan = yard.plan("A", package=replace(IDNA, hashes=(f"sha256:{'0' * 64}",)))
    with pytest.raises(BuildError) as caught:
        yard.build(plan)
    assert "install.py" in caught.value.step
    assert "chainctl lock" in caught.value.hint
    assert yard.backend.existing([plan.images[0].ref]) == frozenset()


def test_a_base_is_the_locked_one_or_none(yard: Yard) -> None:
    """An image that only this engine has is compared by its id."""
    with yard.engine.client() as client:
        found = _inspected(client, BASE)["Id"]
    yard.build(yard.plan("A", base_id=found))
    with pytest.raises(BuildError, match=r"not the image that chainctl\.lock pins"):
        yard.build(yard.plan("A", base_id=f"sha256:{'0' * 64}"))


def test_a_full_disk_is_told(yard: Yard) -> None:
    """As the kernel says it; the chainlet, the step and the next command are named."""
    plan = yard.plan("A", config={"build_commands": ["cat /proc/version > /dev/full"]})
    with pytest.raises(BuildError) as caught:
        yard.build(plan)
    assert "A failed to build at `RUN cat /proc/version > /dev/full`" in caught.value.message
    assert "no space is left on the engine's disk" in caught.value.message
    assert "chainctl gc" in caught.value.hint


def test_labels_say_where_an_image_comes_from(yard: Yard) -> None:
    """Those of the Dockerfile and those of the build, together."""
    plan = yard.plan("A")
    told: list[Event] = []
    image = replace(plan.images[0], labels=(*plan.images[0].labels, ("x.revision", "abc")))
    yard.backend.build(image, told.append)
    with yard.engine.client() as client:
        labels = _inspected(client, str(image.ref))["Config"]["Labels"]
    assert labels["chainctl.chain"] == yard.chain
    assert labels["chainctl.chainlet"] == "A"
    assert labels["chainctl.inputs"] == image.context.digest
    assert labels["x.revision"] == "abc"
