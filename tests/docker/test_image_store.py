"""Images of a real engine: listed with their users, removed with all their names, looked into."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.docker.image_contents import DockerImageReader
from chainctl.adapters.docker.image_store import DockerImageStore
from chainctl.adapters.docker.labels import CHAIN, ROLE, SERVICE, Role
from chainctl.build.base import Base
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.image_labels import BASE_DIGEST, BASE_NAME
from chainctl.build.plan import ImagePlan
from chainctl.build.sbom import Subject, sbom_of
from chainctl.deploy.gc import GRACE_SEC, RemoveImage, plan_gc
from chainctl.deploy.image_store import StoredImage
from chainctl.errors import DeployError, UsageError

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"
DIGEST = "sha256:" + "1" * 64


@dataclass
class Bench:
    """An engine, and a chain on it that no other test has."""

    engine: Engine
    chain: str = field(default_factory=lambda: f"store-{uuid.uuid4().hex[:12]}")

    @property
    def store(self) -> DockerImageStore:
        return DockerImageStore(self.engine)

    def build(self, text: str, base: str = "scratch", **files: str) -> ImageRef:
        """Build an image of the chain from lines of a Dockerfile and some files of /app/code."""
        label = f"LABEL {CHAIN}={self.chain} chainctl.chainlet=Hello\n"
        context = BuildContext.of(
            [
                ContextFile.of_text("Dockerfile", f"FROM {base}\n{label}COPY app /app\n{text}"),
                *(ContextFile.of_text(f"app/code/{name}.py", content) for name, content in files.items()),
                ContextFile.of_text("app/chainctl/version.py", '__version__ = "9.9"\n'),
            ]
        )
        ref = ImageRef(f"{self.chain}/hello", context.digest[:16])
        DockerBuildBackend(self.engine).build(ImagePlan("Hello", ref, context, base), lambda _: None)
        return ref

    def container(self, ref: ImageRef, role: Role, name: str) -> None:
        """Make a container of the chain that never starts."""
        labels = {CHAIN: self.chain, ROLE: role, SERVICE: name}
        body = {"Image": str(ref), "Entrypoint": ["-"], "Labels": labels}
        with self.engine.client() as client:
            client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]  # so in types-docker

    def images(self) -> list[StoredImage]:
        return list(self.store.stored(self.chain).images)

    def sweep(self) -> None:
        mine = {"label": f"{CHAIN}={self.chain}"}
        with self.engine.client() as client:
            for container in client.containers(all=True, filters=mine):
                client.remove_container(container["Id"], force=True, v=True)
            for image in client.images(filters=mine):
                client.remove_image(image["Id"], force=True)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A chain of our own, swept in the end."""
    engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    bench = Bench(engine)
    yield bench
    bench.sweep()


def test_images_are_listed_with_sizes_and_users(bench: Bench) -> None:
    """Only those of the chain that is asked for; a container that never ran is a user."""
    ref = bench.build("", main="pass")
    name = f"{bench.chain}-hello-1"
    bench.container(ref, Role.SERVICE, name)
    (image,) = bench.images()
    assert (image.names, image.own_name) == ((str(ref),), str(ref))
    assert (image.chain, image.chainlet) == (bench.chain, "Hello")
    assert (image.users, image.running) == ((name,), ())
    assert image.bytes > 0
    assert image.own_bytes is not None
    assert 0 <= image.own_bytes <= image.bytes
    assert bench.store.stored("no-such-chain").images == ()


def test_an_image_that_is_used_is_not_removed(bench: Bench) -> None:
    """The engine refuses, whatever was planned."""
    ref = bench.build("", main="pass")
    bench.container(ref, Role.SERVICE, f"{bench.chain}-hello-1")
    (image,) = bench.images()
    with pytest.raises(DeployError):
        bench.store.remove_image(image)


def test_an_image_goes_with_all_its_names(bench: Bench) -> None:
    """The name that a push to a registry gave it is ours, too."""
    ref = bench.build("", main="pass")
    with bench.engine.client() as client:
        client.tag(str(ref), f"registry.test:5000/models/{ref.repository}", ref.tag)
    (image,) = bench.images()
    assert len(image.names) == 2
    plan = plan_gc(bench.store.stored(bench.chain), {}, image.since + GRACE_SEC + 1, only=bench.chain)
    assert plan.removals == (RemoveImage(image, f"{bench.chain} has no release any more"),)
    bench.store.remove_image(image)
    assert bench.images() == []


def test_a_cached_build_makes_an_old_image_new(bench: Bench) -> None:
    """The image is the same, but somebody builds it: it counts from when it was last named."""
    ref = bench.build("", main="pass")
    (before,) = bench.images()
    bench.build("", main="pass")
    (after,) = bench.images()
    assert before.names == after.names == (str(ref),)
    assert after.since > before.since


def test_leftovers_are_found_and_removed(bench: Bench) -> None:
    """Services that do not run, and containers that only carried files."""
    ref = bench.build("", main="pass")
    names = [f"{bench.chain}-hello-1", f"{bench.chain}-hello-1-filler"]
    bench.container(ref, Role.SERVICE, names[0])
    bench.container(ref, Role.FILLER, names[1])
    left = bench.store.stored(bench.chain).leftovers
    assert [(one.name, one.is_service) for one in left] == [(names[0], True), (names[1], False)]
    for one in left:
        bench.store.remove_leftover(one)
    assert bench.store.stored(bench.chain).leftovers == ()


def test_an_image_is_looked_into(bench: Bench) -> None:
    """Its Python packages, its system's, its code; the container that it was read through is gone."""
    label = f"LABEL {BASE_NAME}={BASE} {BASE_DIGEST}={DIGEST}"
    ref = bench.build(label, base=BASE, main="pass", other="1")
    reader = DockerImageReader(bench.engine)
    contents = reader.contents(str(ref))
    assert "pip" in [one.name for one in contents.distributions]
    assert "base-files" in [one.name for one in contents.system_packages]
    assert contents.system is not None
    assert (contents.system.id, contents.system.version) == ("debian", "12")
    assert contents.code is not None
    assert contents.code.count == 2
    assert contents.runtime_version == "9.9"
    assert bench.store.stored(bench.chain).leftovers == ()
    assert contents.base == Base(BASE, DIGEST)
    bom = sbom_of(Subject(bench.chain, "Hello", str(ref)), contents)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bom)) is None
    assert sbom_of(Subject(bench.chain, "Hello", str(ref)), reader.contents(str(ref))) == bom


def test_code_is_told_by_its_digest(bench: Bench) -> None:
    """Another file, another digest; an image without system or packages is told as such."""
    reader = DockerImageReader(bench.engine)
    one = reader.contents(str(bench.build("", main="1")))
    two = reader.contents(str(bench.build("", main="2")))
    assert one.code != two.code
    assert one.runtime == two.runtime
    assert (one.distributions, one.system_packages, one.system) == ((), (), None)


def test_an_image_that_is_not_there_is_told(bench: Bench) -> None:
    """With what makes it."""
    reader = DockerImageReader(bench.engine)
    with pytest.raises(UsageError, match="is not on the engine"):
        reader.contents(f"{bench.chain}/none:1")
