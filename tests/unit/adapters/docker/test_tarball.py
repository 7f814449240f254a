"""The tar stream of a context: exact, complete, and never of a file that changed."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.docker.tarball import CHUNK, MODIFIED, tar_chunks
from chainctl.build.context import BuildContext, ContextFile
from chainctl.errors import BuildError

NAME = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=80)
PATH = (
    st.lists(NAME.filter(lambda name: name not in {".", ".."}), min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda path: len(path.encode()) < 2000)
)


def user_file(path: str, source: Path, *, is_executable: bool = False) -> ContextFile:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return ContextFile(path, digest, source, is_executable)


def written(directory: Path, data: bytes = b"data") -> Path:
    directory.mkdir(exist_ok=True)
    source = directory / "model.bin"
    source.write_bytes(data)
    return source


def tar_of(context: BuildContext) -> bytes:
    return b"".join(tar_chunks(context, "Hello"))


def test_equal_contexts_make_equal_bytes(tmp_path: Path) -> None:
    """Where a file lies, its owner and its time leave no trace."""
    one, two = (
        BuildContext.of(
            [user_file("pkg/m.bin", written(tmp_path / name)), ContextFile.of_text("D", "FROM x")]
        )
        for name in ("a", "b")
    )
    assert tar_of(one) == tar_of(two)


def test_entries_are_plain_and_complete(tmp_path: Path) -> None:
    """Directories come first, all entries belong to root, and the modes are the context's."""
    script = user_file("bin/deep/run", written(tmp_path), is_executable=True)
    data = tar_of(BuildContext.of([script, ContextFile.of_text("Dockerfile", "FROM x")]))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        entries = tar.getmembers()
    assert [(e.name, e.isdir(), e.mode) for e in entries] == [
        ("bin", True, 0o755),
        ("bin/deep", True, 0o755),
        ("Dockerfile", False, 0o644),
        ("bin/deep/run", False, 0o755),
    ]
    assert {(e.uid, e.gid, e.mtime, e.uname) for e in entries} == {(0, 0, MODIFIED, "")}


@given(st.dictionaries(PATH, st.binary(max_size=3000), max_size=6))
def test_tar_holds_exactly_the_files(contents: dict[str, bytes]) -> None:
    """Whatever the names and contents, reading the tar gives the same mapping back."""
    files = [ContextFile(p, hashlib.sha256(d).hexdigest(), d) for p, d in contents.items()]
    with tarfile.open(fileobj=io.BytesIO(tar_of(BuildContext.of(files)))) as tar:
        read = {e.name: stream.read() for e in tar if (stream := tar.extractfile(e))}
    assert read == contents


@pytest.mark.parametrize("now", [b"DATA", b"longer than it was", b"", b"d"])
def test_a_file_that_changed_is_refused(tmp_path: Path, now: bytes) -> None:
    """The name of the image is a digest: other bytes must not get that name."""
    source = written(tmp_path)
    context = BuildContext.of([user_file("pkg/m.bin", source)])
    source.write_bytes(now)
    with pytest.raises(BuildError, match=r"pkg/m\.bin changed while it was being read") as caught:
        tar_of(context)
    assert caught.value.hint == "push again"


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A vanished file is told like a changed one."""
    source = written(tmp_path)
    context = BuildContext.of([user_file("m.bin", source)])
    source.unlink()
    with pytest.raises(BuildError, match=r"m\.bin can not be read: No such file"):
        tar_of(context)


def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    """The stream of 64 MB takes a few chunks of memory."""
    context = BuildContext.of([user_file("m.bin", written(tmp_path, bytes(64 << 20)))])
    tracemalloc.start()
    sent = sum(len(chunk) for chunk in tar_chunks(context, "Hello"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 64 << 20
    assert peak < 8 * CHUNK
