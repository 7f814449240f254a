"""Finding placed buffers: private views, leases that end with views and processes, hostile references."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainctl.segments.file import HEADER, HEADER_BYTES, MARK
from chainctl.segments.pool import SegmentPool
from chainctl.segments.reference import SegmentGoneError, SegmentReference
from chainctl.segments.store import SegmentStore
from tests.unit.segments.segment_process import directory, peer

__all__ = ["directory"]

SIZE = 1 << 16
NAME = "0123456789abcdef-1"


@pytest.fixture
def store(directory: Path) -> Iterator[SegmentStore]:
    store = SegmentStore(directory)
    yield store
    store.close()


@pytest.fixture
def pool(directory: Path) -> Iterator[SegmentPool]:
    pool = SegmentPool(directory, least_bytes=1)
    yield pool
    pool.close()


def placed(pool: SegmentPool, content: bytes) -> str:
    reference = pool.place(memoryview(content))
    assert reference is not None
    return reference


def segment_of(reference: str) -> str:
    return reference.split(":")[0]


def written(directory: Path, content: bytes, name: str = NAME, mode: int = 0o600) -> Path:
    path = directory / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


def segment_bytes(generation: int = 1, size: int = SIZE) -> bytes:
    return HEADER.pack(MARK, generation).ljust(HEADER_BYTES, b"\0") + b"s" * size


def test_a_view_can_be_written_without_anybody_seeing_it(pool: SegmentPool, store: SegmentStore) -> None:
    """Each find is a private copy, made page by page when it is written."""
    reference = placed(pool, b"a" * SIZE)
    mine, yours = store.find(reference, SIZE), store.find(reference, SIZE)
    mine[:] = b"b" * SIZE
    assert (mine[0], yours[0], store.find(reference, SIZE)[0]) == (ord("b"), ord("a"), ord("a"))
    assert (mine.readonly, mine.format, mine.nbytes) == (False, "B", SIZE)


def test_what_was_written_is_not_in_the_next_view(pool: SegmentPool, store: SegmentStore) -> None:
    """A mapping that is used again shows what the segment holds now, not what its reader wrote."""
    first = placed(pool, b"a" * SIZE)
    store.find(first, SIZE)[:10] = b"b" * 10
    assert store.find(first, SIZE) == b"a" * SIZE
    pool.release([first])
    second = placed(pool, b"c" * SIZE)
    assert segment_of(second) == segment_of(first)
    assert store.find(second, SIZE) == b"c" * SIZE


def test_a_reference_that_was_filled_anew_is_gone(
    directory: Path, pool: SegmentPool, store: SegmentStore
) -> None:
    """Late readers are told, whether they have mapped the segment before or not."""
    first = placed(pool, b"a" * SIZE)
    store.find(first, SIZE)
    pool.release([first])
    second = placed(pool, b"b" * SIZE)
    for one in (store, other := SegmentStore(directory)):
        with pytest.raises(SegmentGoneError, match="filled anew"):
            one.find(first, SIZE)
        assert one.find(second, SIZE) == b"b" * SIZE
    other.close()


def test_too_many_leases_are_copies(directory: Path, pool: SegmentPool) -> None:
    """Open files are bounded: beyond, a view is of memory of its own."""
    store = SegmentStore(directory, most_leases=2)
    references = [placed(pool, bytes([n]) * SIZE) for n in range(4)]
    views = [store.find(reference, SIZE) for reference in references]
    assert [view[0] for view in views] == [0, 1, 2, 3]
    pool.release(references)
    again = {segment_of(placed(pool, b"x" * SIZE)) for _ in range(2)}
    assert again == {segment_of(reference) for reference in references[2:]}
    assert [view[-1] for view in views] == [0, 1, 2, 3]
    store.close()


def test_a_store_that_is_forgotten_closes_its_files(directory: Path, pool: SegmentPool) -> None:
    """Also without a close."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    store = SegmentStore(directory)
    reference = placed(pool, b"a" * SIZE)
    pool.release([reference])
    made = len(list(Path("/proc/self/fd").iterdir()))
    store.find(reference, SIZE)
    del store
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == made - 1
    assert made > before


def test_views_outlive_the_store(directory: Path, pool: SegmentPool) -> None:
    """A store that is closed or forgotten takes nothing from who has a view."""
    for ends in (SegmentStore.close, lambda store: None):
        store = SegmentStore(directory)
        reference = placed(pool, b"a" * SIZE)
        view = store.find(reference, SIZE)
        ends(store)
        del store
        gc.collect()
        assert view == b"a" * SIZE


def test_a_store_without_a_directory_finds_nothing(tmp_path: Path) -> None:
    """Whoever sent the reference is told to send the bytes."""
    store = SegmentStore(tmp_path / "none")
    assert store.identity is None
    with pytest.raises(SegmentGoneError):
        store.find(f"{NAME}:4096:1:1", 1)
    store.close()


def test_who_shares_a_directory_agrees_on_its_identity(
    directory: Path, store: SegmentStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two stores of one directory say the same, in two processes too; another directory is another."""
    elsewhere = tmp_path_factory.mktemp("other")
    elsewhere.chmod(0o700)
    other = SegmentStore(elsewhere)
    with peer(directory, "say(store.identity)") as process:
        assert process.hear() == store.identity
    assert store.identity not in (None, other.identity)
    other.close()


def test_a_reference_is_of_the_length_that_is_said(pool: SegmentPool, store: SegmentStore) -> None:
    """Else one of the two is made up."""
    with pytest.raises(ValueError, match="not to 5"):
        store.find(placed(pool, b"a" * SIZE), 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80) | st.from_regex(r"[./\w-]*:[0-9-]*:[0-9]*:[0-9]*", fullmatch=True))
def test_made_up_references_are_refused(store: SegmentStore, text: str) -> None:
    """No text opens anything or fails in another way."""
    with pytest.raises((ValueError, SegmentGoneError)):
        store.find(text, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    offset=st.integers(0, 10**16) | st.integers(0, HEADER_BYTES + SIZE + 2),
    length=st.integers(0, 10**16) | st.integers(0, SIZE + 2),
    generation=st.integers(0, 10**20) | st.just(1),
)
def test_references_never_reach_beyond_their_segment(
    directory: Path, store: SegmentStore, offset: int, length: int, generation: int
) -> None:
    """Any numbers give bytes of the segment, without its header, or an error."""
    written(directory, segment_bytes())
    try:
        view = store.find(f"{NAME}:{offset}:{length}:{generation}", length)
    except (ValueError, SegmentGoneError):
        return
    assert generation == 1
    assert view == b"s" * length


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "..", "", "place", f"{NAME}/..", NAME.upper(), NAME + "\n", "é-1"]
)
def test_names_that_we_do_not_give_are_refused(store: SegmentStore, name: str) -> None:
    """A reference names a segment in the directory and nothing else."""
    with pytest.raises(ValueError, match="not a reference"):
        store.find(f"{name}:4096:1:1", 1)


def test_links_and_the_like_are_refused(directory: Path, store: SegmentStore) -> None:
    """What has the name of a segment is not opened unless it is a file of ours."""
    target = written(directory, segment_bytes(), "0123456789abcdef-2")
    makers = (
        lambda path: path.symlink_to(target),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path, 0o600),
        lambda path: written(directory, segment_bytes(), mode=0o644),
        lambda path: written(directory, b"short"),
        lambda path: written(directory, b"x" * (HEADER_BYTES + SIZE)),
    )
    for make in makers:
        path = directory / NAME
        make(path)
        with pytest.raises(ValueError, match=NAME):
            store.find(f"{NAME}:{HEADER_BYTES}:8:1", 8)
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_segment_with_holes_is_refused(directory: Path, store: SegmentStore) -> None:
    """On a full file system, reading a hole would end the process."""
    path = written(directory, segment_bytes(size=8))
    os.truncate(path, HEADER_BYTES + SIZE * 100)
    with pytest.raises(ValueError, match="holes"):
        store.find(f"{NAME}:{HEADER_BYTES}:8:1", 8)


def test_a_segment_that_shrank_is_gone(directory: Path, store: SegmentStore) -> None:
    """It was given up by its owner; a mapping from before is not lent again."""
    path = written(directory, segment_bytes())
    reference = f"{NAME}:{HEADER_BYTES}:{SIZE}:1"
    store.find(reference, SIZE)
    os.truncate(path, 0)
    for _ in range(2):
        with pytest.raises(SegmentGoneError):
            store.find(reference, SIZE)


def test_a_removed_segment_frees_its_memory_though_it_was_mapped(
    pool: SegmentPool, store: SegmentStore
) -> None:
    """Mappings that are kept for the next time do not pin what their owner gives up."""
    reference = placed(pool, b"a" * SIZE)
    store.find(reference, SIZE)
    (idle,) = store._idle
    pool.close()
    assert os.fstat(idle._handle).st_blocks == 0


@given(
    st.integers(0, 10**15 - 1),
    st.integers(0, 10**15 - 1),
    st.integers(0, 10**18 - 1),
    st.integers(0, 10**9 - 1),
)
def test_references_survive_the_wire(offset: int, length: int, generation: int, number: int) -> None:
    """What is written is read back the same."""
    reference = SegmentReference(f"{'f' * 16}-{number}", offset, length, generation)
    assert SegmentReference.parse(str(reference)) == reference


READS = """
view = store.find(hear(), 65536)
say(bytes(view[:1]).decode())
view[:1] = b"!"
hear()
"""


def test_a_receiver_that_is_killed_holds_nothing(directory: Path, pool: SegmentPool) -> None:
    """While it lives its segment is not filled anew; the kernel ends the lease with it."""
    first = placed(pool, b"a" * SIZE)
    with peer(directory, READS) as receiver:
        receiver.tell(first)
        assert receiver.hear() == "a"
        pool.release([first])
        second = placed(pool, b"b" * SIZE)
        assert segment_of(second) != segment_of(first)
        receiver.kill()
        assert segment_of(placed(pool, b"c" * SIZE)) == segment_of(first)


PASSES_ON = """
view = store.find(hear(), 65536)
edit = hear()
if edit != "none":
    view[int(edit)] = 255
forwarded = pool.place(view)
del view
say(forwarded)
hear()
pool.release([forwarded])
say("released")
hear()
"""


@pytest.mark.parametrize("edit", ["none", "0", "40000", "65535"])
def test_three_processes_pass_a_buffer_on(directory: Path, pool: SegmentPool, edit: str) -> None:
    """The third sees what the second sent, edited or not, and the first's own stays as it was."""
    content, store = b"a" * SIZE, SegmentStore(directory)
    first = placed(pool, content)
    with peer(directory, PASSES_ON) as second:
        second.tell(first)
        second.tell(edit)
        forwarded = second.hear()
        pool.release([first])
        assert (segment_of(forwarded) == segment_of(first)) == (edit == "none")
        if edit == "none":
            assert segment_of(placed(pool, b"b" * SIZE)) != segment_of(first), "the second keeps its lease"
        view = store.find(forwarded, SIZE)
        expected = bytearray(content)
        if edit != "none":
            expected[int(edit)] = 255
        assert view == expected
        second.tell("release")
        assert second.hear() == "released"
        assert view == expected
    store.close()


FORKS = """
kept = store.find(hear(), 65536)
idle = store.find(hear(), 65536)
del idle
if os.fork():
    del kept
    say("parent is done")
else:
    hear()
    say(bytes(kept[-1:]).decode())
    os._exit(0)
os.wait()
say("child is done")
hear()
"""


def test_a_forked_child_keeps_its_lease(directory: Path, pool: SegmentPool) -> None:
    """A lease lasts until parent and child have dropped the view that both had."""
    first, second = placed(pool, b"a" * SIZE), placed(pool, b"b" * SIZE)
    with peer(directory, FORKS) as parent:
        parent.tell(first)
        parent.tell(second)
        assert parent.hear() == "parent is done"
        pool.release([first])
        assert segment_of(placed(pool, b"c" * SIZE)) != segment_of(first)
        parent.tell("go on")
        assert parent.hear() == "a"
        assert parent.hear() == "child is done"
        assert segment_of(placed(pool, b"d" * SIZE)) == segment_of(first)


def test_numpy_arrays_keep_the_lease(pool: SegmentPool, store: SegmentStore) -> None:
    """An array that was made from a view, and arrays made from that, hold the segment."""
    numpy = pytest.importorskip("numpy")
    first = placed(pool, b"\1" * SIZE)
    array = numpy.frombuffer(store.find(first, SIZE), dtype="<u4").reshape(-1, 64)[3:]
    pool.release([first])
    assert segment_of(placed(pool, b"\2" * SIZE)) != segment_of(first)
    assert (array == 0x01010101).all()
    array += 1
    del array
    assert segment_of(placed(pool, b"\3" * SIZE)) == segment_of(first)
