"""Both builders of a real engine: the same images, the same events, the same errors."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError, EngineError
from chainctl.events import BuildLogged, BuildStepped, Event

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that the environment names."""
    config = docker_config_dir(os.environ, Path.home())
    try:
        return Engine.connect(EngineAddress.resolve(os.environ, config))
    except EngineError as error:
        pytest.skip(f"{error.message}; see tests/engine/up")


@dataclass(frozen=True)
class Workbench:
    """Plans images that are all marked with one label, so that they can be found and removed."""

    engine: Engine
    is_buildkit: bool
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def backend(self, *, network: str | None = None) -> DockerBuildBackend:
        return DockerBuildBackend(self.engine, network=network, use_buildkit=self.is_buildkit)

    def ref(self, tag: str = "1") -> ImageRef:
        return ImageRef(f"chainctl-test/{self.mark}", tag)

    def plan(self, *instructions: str, tag: str = "1", base: str = BASE) -> ImagePlan:
        """Plan an image whose steps no earlier build has made."""
        head = (f"FROM {base}", f"LABEL chainctl.test={self.mark}", f"ENV MARK={self.mark}")
        text = "\n".join([*head, *instructions, ""])
        context = BuildContext.of([ContextFile.of_text("Dockerfile", text)])
        return ImagePlan("Hello", self.ref(tag), context, base)

    def sweep(self) -> None:
        """Remove every image with the mark, those without a tag too."""
        marked = {"label": f"chainctl.test={self.mark}"}
        with self.engine.client() as client:
            for image in client.images(filters=marked):
                client.remove_image(image["Id"], force=True)


@pytest.fixture(params=[True, False], ids=["buildkit", "classic"])
def rig(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Workbench]:
    """A workbench for each builder, swept in the end."""
    rig = Workbench(engine, is_buildkit=request.param)
    yield rig
    rig.sweep()


def built(backend: DockerBuildBackend, image: ImagePlan) -> list[Event]:
    events = list[Event]()
    backend.build(image, events.append)
    return events


def log_of(events: list[Event]) -> list[str]:
    return [event.line for event in events if isinstance(event, BuildLogged)]


def step_of(events: list[Event], text: str) -> BuildStepped:
    (step,) = (e for e in events if isinstance(e, BuildStepped) and text in e.step)
    return step


def raised_by(rig: Workbench, image: ImagePlan) -> BuildError:
    with pytest.raises(BuildError) as caught:
        built(rig.backend(), image)
    assert rig.backend().existing([image.ref]) == frozenset()
    return caught.value


def test_the_engine_describes_itself(engine: Engine) -> None:
    """What `doctor` shows and what the builder is chosen by."""
    info = engine.info()
    assert engine.is_alive()
    assert (info.id != "", info.cpus > 0, info.memory > 0) == (True, True, True)
    assert info.api_version == engine.ping.api_version
    assert info.has_buildkit is engine.ping.has_buildkit


def test_an_image_is_built_and_found(rig: Workbench) -> None:
    """It has its name, its labels and its files, and only it exists."""
    backend = DockerBuildBackend(
        rig.engine,
        use_buildkit=rig.is_buildkit,
        build_args={"WORD": "hello"},
        labels={"chainctl.chain": "c"},
    )
    image = rig.plan("ARG WORD", "COPY Dockerfile /made/of", "RUN echo $WORD; cat /made/of")
    events = built(backend, image)
    assert log_of(events) == ["hello", *image.context.text_of("Dockerfile").splitlines()]
    assert step_of(events, "COPY").cached is False
    assert backend.existing([image.ref, rig.ref("other")]) == frozenset({image.ref})
    with rig.engine.client() as client:
        (found,) = client.images(name=str(image.ref))
    assert found["Labels"]["chainctl.chain"] == "c"


def test_a_second_build_is_cached(rig: Workbench) -> None:
    """Every step says so, nothing runs, and the image is the same."""
    backend, image = rig.backend(), rig.plan("RUN echo ran", "COPY Dockerfile /made/of")
    assert log_of(built(backend, image)) == ["ran"]
    again = built(backend, image)
    assert log_of(again) == []
    assert step_of(again, "RUN").cached
    assert step_of(again, "COPY").cached


def test_a_failing_step_is_told_with_its_last_lines(rig: Workbench) -> None:
    """The instruction, the exit code and the last 20 lines of what it wrote."""
    error = raised_by(rig, rig.plan("RUN echo before", "RUN seq 30; exit 7"))
    assert error.step == "RUN seq 30; exit 7"
    assert error.message.endswith("exit code 7")
    assert error.details == tuple(str(number) for number in range(11, 31))


def test_a_file_that_is_not_in_the_context_is_told(rig: Workbench) -> None:
    """The step is the COPY, the reason names the file."""
    error = raised_by(rig, rig.plan("COPY nope /nope"))
    assert error.step == "COPY nope /nope"
    assert "nope" in error.message


def test_a_base_that_does_not_exist_is_named(rig: Workbench) -> None:
    """With the three ways to have one; the port is one where no registry listens."""
    error = raised_by(rig, rig.plan(base="127.0.0.1:9/none:1"))
    assert "the base image 127.0.0.1:9/none:1 is not on the engine" in error.message
    assert "docker_image.base_image=" in error.hint


def test_a_second_base_that_does_not_exist_is_named(rig: Workbench) -> None:
    """A stage of the Dockerfile that the plan does not know fails inside the builder."""
    image = rig.plan("RUN true", "FROM 127.0.0.1:9/none:2 AS other", "RUN true")
    assert "the base image 127.0.0.1:9/none:2 is not" in raised_by(rig, image).message


def test_a_dockerfile_that_does_not_parse_is_told(rig: Workbench) -> None:
    """One builder refuses it over HTTP, the other in its stream."""
    assert "unknown instruction: FOO" in raised_by(rig, rig.plan("FOO bar")).message


def test_a_file_that_changed_makes_no_image(rig: Workbench, tmp_path: Path) -> None:
    """The name stands for other bytes: nothing may be built under it."""
    source = tmp_path / "model.bin"
    source.write_text("after")
    planned = rig.plan("COPY model.bin /model.bin")
    stale = ContextFile("model.bin", hashlib.sha256(b"befor").hexdigest(), source)
    context = BuildContext.of([*planned.context.files, stale])
    error = raised_by(rig, ImagePlan("Hello", planned.ref, context, BASE))
    assert "model.bin changed while it was being read" in error.message


def test_four_images_at_once_share_their_step(rig: Workbench) -> None:
    """All four are built; BuildKit runs the step that they have in common only once."""
    backend = rig.backend()
    common = "RUN cat /proc/sys/kernel/random/uuid > /once"
    plans = [rig.plan(common, f"RUN echo {tag} $(cat /once)", tag=tag) for tag in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        logs = [log_of(events) for events in pool.map(lambda plan: built(backend, plan), plans)]
    assert [line.split()[0] for (line,) in logs] == list("abcd")
    assert backend.existing([plan.ref for plan in plans]) == {plan.ref for plan in plans}
    if rig.is_buildkit:
        assert len({line.split()[1] for (line,) in logs}) == 1


def test_a_build_may_use_the_hosts_network(rig: Workbench) -> None:
    """In the host's network every step sees the same one, which no other step ever sees."""

    def networks(network: str | None) -> list[str]:
        look = [f"RUN echo {network} {number} $(readlink /proc/self/ns/net)" for number in (1, 2)]
        events = built(rig.backend(network=network), rig.plan(*look, tag=str(network)))
        return [line.split()[2] for line in log_of(events)]

    host, own = networks("host"), networks(None)
    assert len(set(host)) == 1
    assert host[0] not in own


def test_an_interrupt_stops_the_engines_work(rig: Workbench) -> None:
    """The process of the step that ran is gone soon after Ctrl-C, and no image is left."""
    image = rig.plan("RUN echo runs; exec tail -f /dev/null")
    is_local = list[bool]()

    def interrupt(event: Event) -> None:
        if isinstance(event, BuildLogged):
            is_local.append(waited_for(lambda: runs_with_mark(rig.mark)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rig.backend().build(image, interrupt)
    if not is_local[0]:
        pytest.skip("the engine's processes can not be seen from here")
    assert waited_for(lambda: not runs_with_mark(rig.mark))
    assert rig.backend().existing([image.ref]) == frozenset()


def runs_with_mark(mark: str) -> bool:
    """Tell whether a process runs in an environment with the mark."""
    return any(f"MARK={mark}".encode() in environ_of(path) for path in Path("/proc").glob("[0-9]*"))


def environ_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def waited_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Return True as soon as the condition holds, False when it does not in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.05)
    return True
