"""A snapshot has the files that an image may be made of, and none that the user wants left out."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.files import take_snapshot
from chainctl.build.plan import BuildPlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph, ChainletSpec, SourceFileRef
from chainctl.graph.load import load


def write(root: Path, files: dict[str, str]) -> None:
    """Write some files, with their directories."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def project(root: Path, *sources: str, config: dict[str, Any] | None = None) -> ChainGraph:
    """A chain of one chainlet whose files are these, in a directory."""
    files = tuple(SourceFileRef(name, str(root / name)) for name in sorted({"chain.py", *sources}))
    if not (root / "chain.py").exists():
        write(root, {"chain.py": "# chain\n"})
    spec = ChainletSpec(
        name="Leaf", class_name="Leaf", module="chain", qualname="Leaf", path=str(root / "chain.py"), line=1,
        config=config or {}, is_async=True, is_stream=False, input_schema={}, output_schema={}, files=files,
    )  # fmt: skip
    return ChainGraph("shop", str(root), str(root / "chain.py"), "Leaf", (spec,), ())


def data_of(root: Path, directory: str = "data") -> set[str]:
    """What a snapshot takes from a data directory of the project."""
    config = {"docker_image": {"data_dir": str(root / directory)}}
    return set(take_snapshot(project(root, config=config), BuildSettings()).trees[str(root / directory)])


def sources_of(root: Path, *names: str) -> set[str]:
    """What a snapshot takes of the chainlet's own files."""
    found = take_snapshot(project(root, *names), BuildSettings()).files
    return {Path(path).relative_to(root).as_posix() for path in found}


def test_files_come_with_their_digest_and_mode(tmp_path: Path) -> None:
    """By absolute path."""
    write(tmp_path, {"run.sh": "echo\n", "größe.txt": "ü"})
    (tmp_path / "run.sh").chmod(0o755)
    files = take_snapshot(project(tmp_path, "run.sh", "größe.txt"), BuildSettings()).files
    script = files[str(tmp_path / "run.sh")]
    assert (script.sha256, script.is_executable) == (hashlib.sha256(b"echo\n").hexdigest(), True)
    assert not files[str(tmp_path / "größe.txt")].is_executable


def test_a_large_file_is_digested_whole(tmp_path: Path) -> None:
    """Also beyond one read."""
    data = bytes(range(256)) * 9000
    (tmp_path / "big.bin").write_bytes(data)
    files = take_snapshot(project(tmp_path, "big.bin"), BuildSettings()).files
    assert files[str(tmp_path / "big.bin")].sha256 == hashlib.sha256(data).hexdigest()


def test_the_runtime_is_the_container_side_only(tmp_path: Path) -> None:
    """It has what a shim imports, and none of the workshop's rooms."""
    runtime = take_snapshot(project(tmp_path), BuildSettings()).runtime
    assert {"__init__.py", "version.py", "errors.py", "server/main.py", "worker/boot.py"} <= set(runtime)
    rooms = {"sdk", "wire", "telemetry", "segments", "truss", "calls", "worker", "server"}
    assert {path.split("/")[0] for path in runtime if "/" in path} == rooms
    assert all(path.endswith(".py") for path in runtime)


# --- ignore rules ----------------------------------------------------------------------------


def test_without_rules_only_litter_is_left_out(tmp_path: Path) -> None:
    """Caches, virtual environments, repositories, at any depth."""
    litter = [
        ".git/x",
        "__pycache__/a.pyc",
        "a.pyc",
        ".venv/x",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".DS_Store",
    ]
    kept = ["a.bin", "deep/b.bin", ".hidden", "venv/x"]
    write(tmp_path, {f"data/{name}": "x" for name in [*litter, *(f"deep/{n}" for n in litter), *kept]})
    assert data_of(tmp_path) == set(kept)


def test_litter_can_not_be_taken_back_in(tmp_path: Path) -> None:
    """A negation is for the user's own rules."""
    write(
        tmp_path,
        {".chainctlignore": "!*.pyc\n!.git/\n!.git/x\n", "data/a.pyc": "", "data/.git/x": "", "data/b": ""},
    )
    assert data_of(tmp_path) == {"b"}


def test_own_rules_go_before_those_of_docker(tmp_path: Path) -> None:
    """One file counts, not both."""
    write(tmp_path, {"data/a.txt": "", "data/b.csv": "", ".dockerignore": "*.csv\n"})
    assert data_of(tmp_path) == {"a.txt"}
    write(tmp_path, {".chainctlignore": "*.txt\n"})
    assert data_of(tmp_path) == {"b.csv"}


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("*.txt\n!keep.txt\n", {"keep.txt", "deep/keep.txt", "deep/x", "y.bin"}),
        ("data/*\n!data/keep.txt\n", {"keep.txt"}),
        ("data/deep/*\n!data/deep/keep.txt\n", {"keep.txt", "a.txt", "deep/keep.txt", "y.bin"}),
        ("x\n", {"keep.txt", "a.txt", "deep/keep.txt", "deep/b.txt", "y.bin"}),
        ("deep/\n!deep/keep.txt\n", {"keep.txt", "a.txt", "y.bin"}),
        ("/data/deep\n", {"keep.txt", "a.txt", "y.bin"}),
        ("/deep\n# comment\n\n", {"keep.txt", "a.txt", "deep/keep.txt", "deep/b.txt", "deep/x", "y.bin"}),
        ("**/b.txt\n*.bin\n", {"keep.txt", "a.txt", "deep/keep.txt", "deep/x"}),
        ("*\n", set()),
    ],
)
def test_rules_are_those_of_git(rules: str, kept: set[str], tmp_path: Path) -> None:
    """Relative to the project's root, the last match wins, and an ignored directory is closed."""
    names = ["keep.txt", "a.txt", "deep/keep.txt", "deep/b.txt", "deep/x", "y.bin"]
    write(tmp_path, {".chainctlignore": rules, **{f"data/{name}": "" for name in names}})
    assert data_of(tmp_path) == kept


def test_rules_hold_for_sources_but_not_for_the_chain_file(tmp_path: Path) -> None:
    """Without that there is nothing to run."""
    write(
        tmp_path,
        {".chainctlignore": "*.py\nsecret.json\n", "secret.json": "", "helper.py": "", "prompt.txt": ""},
    )
    assert sources_of(tmp_path, "secret.json", "helper.py", "prompt.txt") == {"chain.py", "prompt.txt"}


def test_rules_hold_outside_of_the_project_too(tmp_path: Path) -> None:
    """There they are relative to the directory that was given."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    write(root, {".chainctlignore": "*.tmp\n/top.txt\n"})
    write(outside, {"top.txt": "", "deep/top.txt": "", "a.tmp": "", "b": ""})
    config = {"docker_image": {"external_package_dirs": [str(outside)]}}
    snapshot = take_snapshot(project(root, config=config), BuildSettings())
    assert set(snapshot.trees[str(outside)]) == {"deep/top.txt", "b"}


def test_a_path_with_dots_is_matched_where_it_leads(tmp_path: Path) -> None:
    """`../shared` of a project is outside of it."""
    root = tmp_path / "project"
    write(root, {".chainctlignore": "/project\n/a.txt\n"})
    write(tmp_path / "shared", {"a.txt": "", "b.txt": ""})
    assert data_of(root, "../shared") == {"b.txt"}


# --- directories -----------------------------------------------------------------------------


def test_an_empty_data_directory_is_an_empty_tree(tmp_path: Path) -> None:
    """And the image has none."""
    (tmp_path / "data" / "empty").mkdir(parents=True)
    assert data_of(tmp_path) == set()
    config = {"docker_image": {"data_dir": str(tmp_path / "data")}}
    assert "app/data" not in planned(project(tmp_path, config=config)).images[0].context.text_of("Dockerfile")


def test_a_directory_that_is_gone_is_an_empty_tree(tmp_path: Path) -> None:
    """That it was there is checked with the graph."""
    assert data_of(tmp_path) == set()


def test_links_are_followed(tmp_path: Path) -> None:
    """To files and to directories, inside and outside, under the link's own name."""
    write(tmp_path, {"data/real.txt": "real", "data/sub/x": "x", "outside/y": "y"})
    (tmp_path / "data" / "link.txt").symlink_to("real.txt")
    (tmp_path / "data" / "sub-link").symlink_to("sub")
    (tmp_path / "data" / "outside").symlink_to(tmp_path / "outside")
    assert data_of(tmp_path) == {"real.txt", "link.txt", "sub/x", "sub-link/x", "outside/y"}


def test_links_in_circles_end(tmp_path: Path) -> None:
    """Each directory is entered once on its own path."""
    write(tmp_path, {"data/a/x": "", "data/b/y": ""})
    (tmp_path / "data" / "self").symlink_to(".")
    (tmp_path / "data" / "loop").symlink_to("loop")
    (tmp_path / "data" / "a" / "b").symlink_to("../b")
    (tmp_path / "data" / "b" / "a").symlink_to("../a")
    assert data_of(tmp_path) == {"a/x", "a/b/y", "b/y", "b/a/x"}


def test_dangling_links_and_pipes_are_passed_over(tmp_path: Path) -> None:
    """There is nothing to copy, and reading a pipe would never end."""
    write(tmp_path, {"data/a": ""})
    (tmp_path / "data" / "dangling").symlink_to("gone")
    os.mkfifo(tmp_path / "data" / "pipe")
    assert data_of(tmp_path) == {"a"}


def test_names_may_be_any_that_the_system_has(tmp_path: Path) -> None:
    """Unicode, spaces, line breaks, and bytes that are no text."""
    names = ["ü b.txt", "line\nbreak", os.fsdecode(b"\xff.bin")]
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "data" / name).write_text("")
    assert data_of(tmp_path) == set(names)
    config = {"docker_image": {"data_dir": str(tmp_path / "data")}}
    assert planned(project(tmp_path, config=config)).images[0].ref


# --- texts, certificates, what is gone -------------------------------------------------------


def texts_of(root: Path, name: str) -> dict[str, str]:
    """The requirement texts of a snapshot, by name."""
    config = {"docker_image": {"requirements_file": str(root / name)}}
    texts = take_snapshot(project(root, config=config), BuildSettings()).texts
    return {Path(path).relative_to(root).as_posix(): text for path, text in texts.items()}


def test_requirement_files_come_with_what_they_include(tmp_path: Path) -> None:
    """Also in circles, and without those that are not there: pip will name them."""
    write(
        tmp_path,
        {
            "r.txt": "-r deep/s.txt\n-r gone.txt\n",
            "deep/s.txt": "-c ../r.txt\n-r t.txt\n",
            "deep/t.txt": "x\n",
        },
    )
    assert set(texts_of(tmp_path, "r.txt")) == {"r.txt", "deep/s.txt", "deep/t.txt"}


def test_a_byte_order_mark_is_no_requirement(tmp_path: Path) -> None:
    """Editors on other systems write one."""
    (tmp_path / "r.txt").write_bytes(b"\xef\xbb\xbfidna\n")
    assert texts_of(tmp_path, "r.txt") == {"r.txt": "idna\n"}


def test_requirements_that_are_no_text_are_named(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "r.txt").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"r\.txt cannot be read: it is no UTF-8 text"):
        texts_of(tmp_path, "r.txt")


def test_a_file_that_was_deleted_in_between_is_named(tmp_path: Path) -> None:
    """The graph knows it, the disk has it no more."""
    with pytest.raises(UsageError, match=r"gone\.py cannot be read: No such file") as raised:
        take_snapshot(project(tmp_path, "gone.py"), BuildSettings())
    assert raised.value.hint


PEM = "-----BEGIN CERTIFICATE-----\n"


def test_certificates_are_files_of_the_snapshot(tmp_path: Path) -> None:
    """One that does not exist is the settings' mistake."""
    write(tmp_path, {"ca/one.pem": PEM})
    one = str(tmp_path / "ca" / "one.pem")
    assert one in take_snapshot(project(tmp_path), BuildSettings(certificates=(one,))).files
    with pytest.raises(UsageError, match="does not exist") as raised:
        take_snapshot(project(tmp_path), BuildSettings(certificates=(one + "x",)))
    assert "ca_certificates" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MIIB", "is no PEM certificate"),
        (f"{PEM}-----BEGIN RSA PRIVATE KEY-----\n", "has a private key in it"),
    ],
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """It would end up in the images: useless, or a secret that everybody can read there."""
    write(tmp_path, {"ca/one.pem": text})
    with pytest.raises(UsageError, match=message) as raised:
        take_snapshot(project(tmp_path), BuildSettings(certificates=(str(tmp_path / "ca/one.pem"),)))
    assert "ca_certificates" in raised.value.hint


# --- from files to names ---------------------------------------------------------------------

CHAIN = """
import chainctl as chains
import shared

class Left(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here("data")))

    def run_remote(self, x: int) -> int:
        return x

@chains.mark_entrypoint
class Root(chains.ChainletBase):
    def __init__(self, left: Left = chains.depends(Left), other: shared.Other = chains.depends(shared.Other)) -> None:
        self._left = left

    def run_remote(self, x: int) -> int:
        return self._left.run_remote(x)
"""
SHARED = """
import chainctl as chains

class Other(chains.ChainletBase):
    def run_remote(self, x: int) -> int:
        import only_other
        return x
"""
PROJECT = {
    "chain.py": CHAIN, "shared.py": SHARED, "only_other.py": "A = 1\n", "data/w.bin": "w", "README.md": "r",
    "unrelated.py": "B = 2\n",
}  # fmt: skip


def planned(graph: ChainGraph) -> BuildPlan:
    """The images of a chain, from the files as they are now."""
    snapshot: SourceSnapshot = take_snapshot(graph, BuildSettings())
    return plan_build(graph, "shop", snapshot, BuildSettings())


def checkout(root: Path) -> ChainGraph:
    """A project with three chainlets, loaded as a push loads it."""
    write(root, PROJECT)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CHAINCTL_")}
    return load(ChainFile.parse(str(root / "chain.py")), environ=environ)


def names(graph: ChainGraph) -> dict[str, str]:
    """Each chainlet's image."""
    return {image.chainlet: str(image.ref) for image in planned(graph).images}


def test_two_checkouts_have_the_same_images_and_an_edit_has_exactly_its_own(tmp_path: Path) -> None:
    """Names depend on content only: not on the place, the time or the files that nobody needs."""
    here, there = tmp_path / "here", tmp_path / "elsewhere" / "deep"
    graph, other = checkout(here), checkout(there)
    before = names(graph)
    assert set(before) == {"Left", "Other", "Root"}
    assert names(other) == before

    def changed() -> set[str]:
        after = names(graph)
        return {name for name in before if after[name] != before[name]}

    write(here, {"README.md": "changed", "unrelated.py": "changed", "new.py": ""})
    os.utime(here / "chain.py", (0, 0))
    (here / "shared.py").chmod(0o600)
    assert changed() == set()
    in_file = {name for name in before if any(f.path == "only_other.py" for f in graph.chainlet(name).files)}
    assert "Other" in in_file
    write(here, {"only_other.py": "A = 1  # a comment\n"})
    assert changed() == in_file
    write(here, PROJECT)
    (here / "data" / "w.bin").chmod(0o755)
    assert changed() == {"Left"}
    (here / "data" / "w.bin").chmod(0o644)
    (here / "shared.py").chmod(0o755)
    assert changed() == {n for n in before if any(f.path == "shared.py" for f in graph.chainlet(n).files)}
