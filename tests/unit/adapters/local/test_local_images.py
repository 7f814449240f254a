"""A local image is a directory: whole or not there, with the bytes that its name promises."""

from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path

import pytest

from chainctl.adapters.local.images import LocalBuildBackend
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError
from chainctl.events import Event


def plan_of(*files: ContextFile) -> ImagePlan:
    context = BuildContext.of(list(files))
    return ImagePlan("Hello", ImageRef("chain/hello", context.digest[:16]), context, "base")


def file_of(path: str, source: Path, *, is_executable: bool = False) -> ContextFile:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return ContextFile(path, digest, source, is_executable)


def drafts(root: Path) -> list[Path]:
    return list((root / "images").glob(".draft-*"))


def test_the_files_of_the_app_are_copied(tmp_path: Path) -> None:
    """What is under app/ arrives with its mode; the Dockerfile is for others. Events frame it."""
    source = tmp_path / "run.sh"
    source.write_text("exit")
    plan = plan_of(
        ContextFile.of_text("Dockerfile", "FROM x"),
        ContextFile.of_text("app/shim.py", "pass"),
        file_of("app/code/run.sh", source, is_executable=True),
    )
    backend, events = LocalBuildBackend(tmp_path), list[Event]()
    assert backend.existing([plan.ref]) == frozenset()
    backend.build(plan, events.append)
    place = tmp_path / "images" / "chain" / "hello" / plan.ref.tag
    assert sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()) == [
        "app/code/run.sh",
        "app/shim.py",
    ]
    assert stat.S_IMODE((place / "app/code/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((place / "app/shim.py").stat().st_mode) == 0o644
    assert backend.existing([plan.ref]) == {plan.ref}
    assert events == []
    assert drafts(tmp_path) == []


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """The name was computed from other bytes, so nothing is put in place."""
    source = tmp_path / "model.bin"
    source.write_text("before")
    plan = plan_of(file_of("app/model.bin", source))
    source.write_text("after")
    with pytest.raises(BuildError, match="changed while it was being read") as caught:
        LocalBuildBackend(tmp_path).build(plan, lambda _: None)
    assert caught.value.hint == "push again"
    assert LocalBuildBackend(tmp_path).existing([plan.ref]) == frozenset()
    assert drafts(tmp_path) == []


def test_a_file_that_vanished_is_a_build_error(tmp_path: Path) -> None:
    """What the operating system says becomes the reason."""
    plan = plan_of(ContextFile("app/model.bin", "0" * 64, tmp_path / "gone"))
    with pytest.raises(BuildError, match="No such file"):
        LocalBuildBackend(tmp_path).build(plan, lambda _: None)


@pytest.mark.parametrize("path", ["../out", "/etc/out", "app/../../out"])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    """A path that leaves the image is refused."""
    with pytest.raises(BuildError, match="leaves the image"):
        LocalBuildBackend(tmp_path).build(plan_of(ContextFile.of_text(path, "x")), lambda _: None)


def test_builders_may_race(tmp_path: Path) -> None:
    """Whoever comes second finds the same image in place and is content."""
    plan = plan_of(*(ContextFile.of_text(f"app/{n}.py", "x" * n) for n in range(50)))
    problems: list[BaseException] = []
    start = threading.Barrier(8)

    def build() -> None:
        start.wait()
        try:
            LocalBuildBackend(tmp_path).build(plan, lambda _: None)
        except BuildError as error:
            problems.append(error)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert drafts(tmp_path) == []
