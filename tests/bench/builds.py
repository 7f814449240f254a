"""`python -m tests.bench.builds [--quick]`: builds of locked chains against their bounds; docs/benchmarks-builds.md.

Every ratio is of one run on one machine. Caches are made cold by other names for them, never by
pruning: the engine may be shared. All images are removed in the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.build.context import ContextFile
from chainctl.build.plan import BuildPlan, ImagePlan
from chainctl.workflows.build import build
from tests.bench.build_project import HEAVY, Project
from tests.bench.build_report import Figure, Versus, report
from tests.bench.host import load_average, this_host
from tests.bench.peers.peer import ROOT

_COMPILING = "        compileall.compile_dir(directory, quiet=2, workers=0, rx=TESTS)\n"


@dataclass
class Bench:
    """One engine, one directory, and chains of names that nobody else uses."""

    directory: Path
    rounds: int
    engine: Engine = field(default_factory=lambda: _engine())
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def backend(self) -> DockerBuildBackend:
        return DockerBuildBackend(self.engine, network="host", labels={"chainctl.bench": self.mark})

    @property
    def environ(self) -> dict[str, str]:
        """What commands are run with: their own state, the host's network for builds."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHAINCTL_", "XDG_")) and k != "CI"}
        return {
            **kept,
            "XDG_STATE_HOME": str(self.directory / "state"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "CHAINCTL_BUILD_NETWORK": "host",
            "CHAINCTL_TARGET": "docker",
        }

    def project(self, count: int, requirements: Sequence[str]) -> Project:
        """A new chain, locked."""
        made = Project(self.directory / uuid.uuid4().hex[:8], count, requirements)
        made.write()
        made.lock(self.environ)
        return made

    def build(self, plan: BuildPlan) -> float:
        """Build what is missing, as a push does; returns seconds."""
        return timed(lambda: build(plan, self.backend, None, lambda _: None, time.monotonic))

    def build_again(self, image: ImagePlan) -> float:
        """Build one image, whether the engine has it or not; returns seconds."""
        return timed(lambda: self.backend.build(image, lambda _: None))

    def sweep(self) -> None:
        """Remove all images that were made."""
        with self.engine.client() as client:
            for image in client.images(filters={"label": f"chainctl.bench={self.mark}"}):
                client.remove_image(image["Id"], force=True)


def main(arguments: Sequence[str]) -> None:
    """Measure all and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.builds", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each, and print only")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="names of measurements, with commas")
    given = parser.parse_args(arguments)
    wanted = frozenset(filter(None, given.only.split(",")))
    figures: list[Figure] = []
    started, load = time.time(), load_average()
    directory = Path(tempfile.mkdtemp(prefix="bench-builds-"))
    bench = Bench(directory, given.rounds or (1 if given.quick else 5))
    try:
        for name, measure in MEASURES.items():
            if not wanted or name in wanted:
                print(f"measuring {name}", file=sys.stderr, flush=True)
                figures += measure(bench)
    finally:
        bench.sweep()
        shutil.rmtree(directory, ignore_errors=True)
    text = report(figures, this_host(), started, time.time() - started, load, bench.rounds)
    if not given.quick and not wanted:
        (ROOT / "docs" / "benchmarks-builds.md").write_text(text, encoding="utf-8")
    print(text)


def install(bench: Bench) -> list[Figure]:
    """A first installation: no layer, no package and no uv is on the engine."""
    project = bench.project(1, HEAVY)
    (locked,), (plain,) = (project.plan("bench", is_locked=yes).images for yes in (True, False))
    uv, pip, bare = [], [], []
    for _ in range(bench.rounds):
        uv.append(bench.build(BuildPlan((_cold(locked),))))
        pip.append(bench.build(BuildPlan((_cold(plain),))))
        bare.append(bench.build(BuildPlan((_uncompiled(_cold(locked)),))))
    warm = [bench.build(BuildPlan((_cold(locked, cache="warm"),))) for _ in range(bench.rounds + 1)][1:]
    against = "the same Dockerfile with plain pip"
    return [
        Figure("cold installation", Versus(against, uv, pip), 0.4, "×"),
        Figure("cold installation, nothing compiled", Versus(against, bare, pip), None, "×"),
        Figure("installation with a warm cache mount", Versus(against, warm, pip), None, "×"),
    ]


def edit(bench: Bench) -> list[Figure]:
    """One line of a chain of ten changes; each image that is rebuilt against building it once more."""
    project = bench.project(10, HEAVY)
    bench.build(_marked(project.plan("bench"), bench.mark))
    changed, again, counts = [], [], []
    for number in range(bench.rounds):
        project.edit(number, 1)
        plan = _marked(project.plan("bench"), bench.mark)
        missing = plan.missing(bench.backend.existing(image.ref for image in plan.images))
        counts.append(float(len(missing)))
        for image in missing:
            changed.append(bench.build_again(image))
            again.append(bench.build_again(image))
    return [
        Figure("edit of one line, each image", Versus("the engine's own build of no change", changed, again,
               is_difference=True), 0.5, " s"),
        Figure("images rebuilt of ten, the edited one and the entrypoint", Versus("", counts, counts,
               is_difference=True, is_plain=True), 2, ""),
    ]  # fmt: skip


def share(bench: Bench) -> list[Figure]:
    """Thirty chainlets of one environment, against one."""
    one, thirty = bench.project(1, HEAVY), bench.project(30, HEAVY)
    single, many, sizes, wanted = [], [], [], []
    for number in range(max(1, bench.rounds // 2)):
        mark = f"{bench.mark}{number}"
        single.append(bench.build(BuildPlan((_cold(one.plan("bench").images[0]),))))
        plan = _marked(thirty.plan("bench"), mark, cache=mark)
        many.append(bench.build(plan))
        total, first, own = _bytes(bench.engine, plan)
        sizes.append(total)
        wanted.append(first + own)
    return [
        Figure("thirty chainlets, wall time", Versus("one of them", many, single), 2, "×"),
        Figure(
            "thirty chainlets, bytes on disk",
            Versus("one image and 30 layers of code", sizes, wanted),
            1.1,
            "×",
        ),
    ]


def unchanged(bench: Bench) -> list[Figure]:
    """A push of what runs already, against `chainctl check`; `chainctl lock` of what is locked already."""
    project = bench.project(2, ())
    name = f"bench-{bench.mark}"
    push, check, lock, start = [], [], [], []
    _command(bench, "push", str(project.file), "--name", name, "--quiet")
    try:
        for _ in range(2 * bench.rounds + 1):
            push.append(timed(lambda: _command(bench, "push", str(project.file), "--name", name, "--quiet")))
            check.append(timed(lambda: _command(bench, "check", str(project.file))))
            lock.append(timed(lambda: _command(bench, "lock", str(project.file), "--quiet")))
            start.append(timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)))
    finally:
        _command(bench, "down", name)
        _remove_images(bench.engine, name)
    return [
        Figure("push of an unchanged chain", Versus("`chainctl check`", push[1:], check[1:]), 1.5, "×"),
        Figure("lock of an unchanged chain", Versus("the interpreter's start", lock[1:], start[1:],
               is_difference=True), 0.3, " s"),
    ]  # fmt: skip


MEASURES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "install": install,
    "edit": edit,
    "share": share,
    "unchanged": unchanged,
}


def timed(work: Callable[[], Any]) -> float:
    """Run something once and return its wall time in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _cold(image: ImagePlan, cache: str = "") -> ImagePlan:
    """The image under another name, with steps that no build has run; its cache mount is new, too, or `cache`."""
    return _marked(BuildPlan((image,)), uuid.uuid4().hex[:8], cache=cache).images[0]


def _marked(plan: BuildPlan, mark: str, cache: str = "") -> BuildPlan:
    """Plans whose steps are those of all plans with the same mark, and of no others."""

    def marked(image: ImagePlan) -> ImagePlan:
        text = image.context.text_of("Dockerfile")
        text = text.replace("USER root\n", f"USER root\nENV BENCH={mark}\n", 1)
        text = text.replace("id=chainctl-uv,", f"id=chainctl-uv-bench-{cache or mark},")
        context = image.context.replacing(ContextFile.of_text("Dockerfile", text))
        return replace(image, context=context, ref=replace(image.ref, tag=f"{image.ref.tag}-{mark}"))

    return BuildPlan(tuple(marked(image) for image in plan.images))


def _uncompiled(image: ImagePlan) -> ImagePlan:
    text = image.context.text_of("install.py")
    assert _COMPILING in text
    return replace(
        image,
        context=image.context.replacing(
            ContextFile.of_text("install.py", text.replace(_COMPILING, "        pass\n"))
        ),
        ref=replace(image.ref, tag=f"{image.ref.tag}-bare"),
    )


def _bytes(engine: Engine, plan: BuildPlan) -> tuple[float, float, float]:
    """Bytes of all layers of a plan's images, each once; of the first image; of the layers of code of all."""
    total, first, own = 0.0, 0.0, 0.0
    seen: set[str] = set()
    with engine.client() as client:
        for image in plan.images:
            found: dict[str, Any] = client.inspect_image(str(image.ref))  # type: ignore[no-untyped-call]  # so in types-docker
            chain = found["RootFS"]["Layers"]
            history: list[dict[str, Any]] = client.history(str(image.ref))  # type: ignore[no-untyped-call]  # so in types-docker
            sizes = _layer_sizes(history, len(chain))
            own += sizes[-1]
            first = first or sum(sizes)
            for number, size in enumerate(sizes):
                key = "".join(chain[: number + 1])
                total += 0 if key in seen else size
                seen.add(key)
    return total, first, own


def _layer_sizes(history: list[dict[str, Any]], count: int) -> list[float]:
    """Sizes of layers from a history, newest first: instructions that make no layer have none.

    A base image has several layers whose sizes do not matter: they count as one.
    """
    sizes = [float(entry["Size"]) for entry in reversed(history) if entry["Size"]]
    missing = count - len(sizes)
    return [0.0] * missing + sizes if missing >= 0 else [sum(sizes[: 1 - count or None]), *sizes[1 - count :]]


def _command(bench: Bench, *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("chainctl")), *arguments]
    done = subprocess.run(command, env=bench.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"chainctl {' '.join(arguments)} failed:\n{done.stderr}")


def _remove_images(engine: Engine, chain: str) -> None:
    with engine.client() as client:
        for image in client.images(filters={"label": f"chainctl.chain={chain}"}):
            client.remove_image(image["Id"], force=True)


def _engine() -> Engine:
    return Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))


if __name__ == "__main__":
    main(sys.argv[1:])
