"""Contexts are written out as an engine would get them, byte by byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import BuildPlan, ImagePlan
from chainctl.errors import UsageError
from chainctl.workflows.render import render_contexts


def plan(source: Path, *repositories: str) -> BuildPlan:
    """Images of one rendered text and one executable file of the user's."""
    data = source.read_bytes()
    context = BuildContext.of([
        ContextFile.of_text("Dockerfile", "FROM x\n"),
        ContextFile("app/code/ü/run.sh", hashlib.sha256(data).hexdigest(), source, True),
    ])  # fmt: skip
    names = repositories or ("shop/leaf", "shop/root")
    images = (
        ImagePlan(name, ImageRef(name, f"{index:016}"), context, "x") for index, name in enumerate(names)
    )
    return BuildPlan(tuple(images))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of the user's."""
    path = tmp_path / "run.sh"
    path.write_bytes(b"\x00\xffecho\r\n")
    return path


def tree(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below, with its bytes and mode."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {p.relative_to(directory).as_posix(): (p.read_bytes(), p.stat().st_mode & 0o777) for p in files}


def test_every_context_is_a_directory(source: Path, tmp_path: Path) -> None:
    """Named by its chainlet, with the modes that the image will have."""
    out = tmp_path / "out"
    assert render_contexts(plan(source), out) == [out / "leaf", out / "root"]
    one = {"Dockerfile": (b"FROM x\n", 0o644), "app/code/ü/run.sh": (b"\x00\xffecho\r\n", 0o755)}
    assert tree(out) == {f"{name}/{path}": value for name in ("leaf", "root") for path, value in one.items()}


def test_two_renderings_are_identical(source: Path, tmp_path: Path) -> None:
    """Also when the source's own mode and time have changed."""
    render_contexts(plan(source), tmp_path / "a")
    source.chmod(0o600)
    render_contexts(plan(source), tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_an_empty_directory_is_taken(source: Path, tmp_path: Path) -> None:
    """It holds nothing that could be lost."""
    (tmp_path / "out" / "leaf").mkdir(parents=True)
    assert len(render_contexts(plan(source), tmp_path / "out")) == 2


def test_a_directory_with_something_in_it_is_refused(source: Path, tmp_path: Path) -> None:
    """Before anything is written, also beside it."""
    (tmp_path / "out" / "root").mkdir(parents=True)
    (tmp_path / "out" / "root" / "mine").write_text("")
    with pytest.raises(UsageError, match="root is not empty"):
        render_contexts(plan(source), tmp_path / "out")
    assert set(tree(tmp_path / "out")) == {"root/mine"}


def test_a_file_in_the_way_is_refused(source: Path, tmp_path: Path) -> None:
    """It is no directory to write to."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "leaf").write_text("mine")
    with pytest.raises(UsageError, match="leaf is not empty"):
        render_contexts(plan(source), tmp_path / "out")


def test_chainlets_of_nearly_one_name_do_not_meet(source: Path, tmp_path: Path) -> None:
    """`A_B` and `A__B` have one repository; their tags tell them apart."""
    out = tmp_path / "out"
    written = render_contexts(plan(source, "shop/a-b", "shop/a-b", "shop/c"), out)
    assert written == [out / f"a-b-{0:016}", out / f"a-b-{1:016}", out / "c"]
