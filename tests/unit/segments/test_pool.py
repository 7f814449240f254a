"""Placing buffers in shared segments: what is copied, reused, passed on, refused and swept."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainctl.segments.file import HEADER_BYTES, SegmentFile, rounded_capacity
from chainctl.segments.pages import addressed, pages_unwritten
from chainctl.segments.pool import SegmentPool
from chainctl.segments.reference import SegmentGoneError
from chainctl.segments.store import SegmentStore
from tests.unit.segments.segment_process import directory, peer

__all__ = ["directory"]

SIZE = 1 << 16
ROOM = 4 * SIZE


@pytest.fixture
def store(directory: Path) -> Iterator[SegmentStore]:
    store = SegmentStore(directory)
    yield store
    store.close()


@pytest.fixture
def pool(directory: Path, store: SegmentStore) -> Iterator[SegmentPool]:
    pool = SegmentPool(directory, store=store, least_bytes=SIZE, most_bytes=ROOM)
    yield pool
    pool.close()


def content(seed: int = 1, size: int = SIZE) -> memoryview:
    return memoryview(bytes((seed + i * 7) % 251 for i in range(251)) * (size // 251 + 1))[:size]


def placed(pool: SegmentPool, view: memoryview) -> str:
    reference = pool.place(view)
    assert reference is not None
    return reference


def segment_of(reference: str) -> str:
    return reference.split(":")[0]


def segments_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if not path.name.endswith("owner")} - {"place"}


def test_what_is_placed_is_found(pool: SegmentPool, store: SegmentStore) -> None:
    """A reference leads to the same bytes."""
    view = content()
    assert store.find(placed(pool, view), SIZE) == view


def test_small_buffers_are_not_placed(pool: SegmentPool) -> None:
    """Sending them costs less."""
    assert pool.place(content(size=SIZE - 1)) is None


def test_scattered_buffers_are_not_placed(pool: SegmentPool) -> None:
    """Every other byte is no run of bytes."""
    assert pool.place(memoryview(bytearray(2 * SIZE))[::2]) is None


def test_typed_and_readonly_buffers_are_placed(pool: SegmentPool, store: SegmentStore) -> None:
    """The bytes count, whatever they stand for."""
    view = memoryview(array("d", bytes(content())))
    assert store.find(placed(pool, view), SIZE) == content()


def test_a_segment_is_reused_once_released(pool: SegmentPool, directory: Path) -> None:
    """Fresh memory costs page faults; a smaller buffer takes the same segment too."""
    first = placed(pool, content(1, 2 * SIZE))
    pool.release([first])
    second = placed(pool, content(2, SIZE))
    assert segment_of(second) == segment_of(first)
    assert segments_in(directory) == {segment_of(first)}


def test_the_smallest_fitting_segment_is_taken(pool: SegmentPool) -> None:
    """The larger one stays for what needs it."""
    large, small = placed(pool, content(size=2 * SIZE)), placed(pool, content())
    pool.release([large, small])
    assert segment_of(placed(pool, content())) == segment_of(small)


def test_a_segment_is_not_reused_before_the_release(pool: SegmentPool, store: SegmentStore) -> None:
    """The receiver may not have locked it yet."""
    first = placed(pool, content(1))
    second = placed(pool, content(2))
    assert segment_of(first) != segment_of(second)
    assert store.find(first, SIZE) == content(1)


def test_a_segment_is_not_reused_while_it_is_read(pool: SegmentPool, store: SegmentStore) -> None:
    """The release of the sender does not take what the receiver holds."""
    first = placed(pool, content(1))
    view = store.find(first, SIZE)
    pool.release([first])
    assert segment_of(placed(pool, content(2))) != segment_of(first)
    assert view == content(1)


def test_a_slice_of_a_view_keeps_the_lease(pool: SegmentPool, store: SegmentStore) -> None:
    """What was made from a view counts as the view does; the last of them ends the lease."""
    first = placed(pool, content(1))
    part = store.find(first, SIZE)[100:200]
    pool.release([first])
    second = placed(pool, content(2))
    assert segment_of(second) != segment_of(first)
    assert part == content(1)[100:200]
    del part
    assert segment_of(placed(pool, content(3))) == segment_of(first)


def test_memory_is_bounded(pool: SegmentPool) -> None:
    """When all segments are in use nothing is placed; when one is free again, something is."""
    references = [placed(pool, content(n)) for n in range(ROOM // SIZE)]
    assert pool.place(content()) is None
    pool.release(references[:1])
    assert pool.place(content()) is not None


def test_free_segments_make_room_for_another_size(pool: SegmentPool, directory: Path) -> None:
    """Segments of a size that is not wanted any more do not block others."""
    pool.release([placed(pool, content(n)) for n in range(ROOM // SIZE)])
    large = placed(pool, content(size=ROOM))
    assert segments_in(directory) == {segment_of(large)}


def test_what_can_never_fit_costs_nothing(pool: SegmentPool, directory: Path) -> None:
    """No free segment is given up for a buffer that is larger than the bound."""
    pool.release([placed(pool, content())])
    assert pool.place(content(size=ROOM + 1)) is None
    assert len(segments_in(directory)) == 1


def test_a_directory_that_is_missing_places_nothing(tmp_path: Path) -> None:
    """The caller sends the bytes then."""
    pool = SegmentPool(tmp_path / "none", least_bytes=1)
    assert (pool.place(content()), pool.is_usable) == (None, False)
    pool.release(["x"])
    pool.close()


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_directory_that_is_open_to_others_places_nothing(directory: Path, mode: int) -> None:
    """Others could read, or put files there."""
    directory.chmod(mode)
    assert SegmentPool(directory, least_bytes=1).place(content()) is None


def test_a_link_to_a_directory_places_nothing(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link may be changed by whom it belongs to."""
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(directory)
    assert SegmentPool(link, least_bytes=1).place(content()) is None


def test_a_full_file_system_places_nothing(directory: Path) -> None:
    """Memory is had before it is written to: no signal, no partial segment, and no file left."""
    pool = SegmentPool(directory, least_bytes=1, most_bytes=1 << 62)
    endless = os.statvfs(directory)
    assert pool._new(endless.f_frsize * endless.f_blocks * 2) is None
    assert segments_in(directory) == set()
    assert pool.place(content()) is None, "for a while it does not try again"
    pool._full_until = 0.0
    assert pool.place(content()) is not None
    pool.close()


def test_a_directory_that_went_away_places_nothing(directory: Path) -> None:
    """`down` removes it while the last service still runs."""
    inner = directory / "inner"
    inner.mkdir(mode=0o700)
    pool = SegmentPool(inner, least_bytes=1)
    for path in inner.iterdir():
        path.unlink()
    inner.rmdir()
    assert pool.place(content()) is None
    pool.close()


def test_a_segment_that_somebody_removed_is_not_used_again(
    pool: SegmentPool, store: SegmentStore, directory: Path
) -> None:
    """Nobody could open it: another takes its place."""
    first = placed(pool, content(1))
    pool.release([first])
    (directory / segment_of(first)).unlink()
    second = placed(pool, content(2))
    assert store.find(second, SIZE) == content(2)


def test_what_was_received_is_passed_on_without_a_copy(
    pool: SegmentPool, store: SegmentStore, directory: Path
) -> None:
    """A whole view and a part of it, read or not, lead to the segment that they came in."""
    first = placed(pool, content())
    view = store.find(first, SIZE)
    assert placed(pool, view) == first
    assert bytes(view) == content()
    part = view[SIZE // 4 :].toreadonly()
    pool._least_bytes = 1
    forwarded = placed(pool, part)
    assert segment_of(forwarded) == segment_of(first)
    assert store.find(forwarded, len(part)) == part
    assert len(segments_in(directory)) == 1


@pytest.mark.parametrize("place", [0, 1, SIZE // 2, SIZE - 4096, SIZE - 1])
def test_an_edit_of_one_byte_is_passed_on(pool: SegmentPool, store: SegmentStore, place: int) -> None:
    """A buffer that was written to is copied, wherever the byte is."""
    first = placed(pool, content())
    view = store.find(first, SIZE)
    view[place] ^= 0xFF
    second = placed(pool, view)
    assert segment_of(second) != segment_of(first)
    assert store.find(second, SIZE) == view
    assert store.find(first, SIZE) == content(), "nobody else sees the edit"


def test_the_unwritten_part_of_a_written_view_is_passed_on(pool: SegmentPool, store: SegmentStore) -> None:
    """Only the pages of the buffer itself count."""
    pool._least_bytes = 1
    first = placed(pool, content())
    view = store.find(first, SIZE)
    view[0] = 1
    assert segment_of(placed(pool, view[SIZE // 2 :])) == segment_of(first)


def test_what_is_passed_on_is_kept_until_released(pool: SegmentPool, store: SegmentStore) -> None:
    """The view may go, the sender may be done: the bytes stay for who gets the reference."""
    first = placed(pool, content(1))
    view = store.find(first, SIZE)
    again, once_more = placed(pool, view), placed(pool, view)
    del view
    pool.release([first])
    pool.release([again])
    assert segment_of(placed(pool, content(2))) != segment_of(first)
    assert store.find(once_more, SIZE) == content(1)
    pool.release([once_more])
    assert segment_of(placed(pool, content(3))) == segment_of(first)


def test_a_buffer_beside_a_received_one_is_copied(pool: SegmentPool, store: SegmentStore) -> None:
    """Ours are told from theirs by where they lie; zeros that were never touched are not theirs."""
    view = store.find(placed(pool, content(1)), SIZE)
    zeros = memoryview(bytearray(SIZE))
    assert store.find(placed(pool, zeros), SIZE) == zeros
    assert view == content(1)


def test_without_a_pagemap_all_is_copied(pool: SegmentPool, store: SegmentStore) -> None:
    """An address that has no entry there can not be shown to be unwritten."""
    assert not pages_unwritten(1 << 62, 4096)


def test_what_was_removed_is_not_passed_on(pool: SegmentPool, store: SegmentStore, directory: Path) -> None:
    """Nobody could open it; it is copied."""
    first = placed(pool, content(1))
    view = store.find(first, SIZE)
    (directory / segment_of(first)).unlink()
    second = placed(pool, view)
    assert store.find(second, SIZE) == content(1)


def test_the_address_of_a_buffer_is_where_it_lies() -> None:
    """Also of one that is not writable; one that is scattered has none."""
    view = memoryview(b"0123456789")
    with addressed(view) as address, addressed(view[3:]) as third:
        assert third == address + 3
    with pytest.raises(BufferError), addressed(view[::2]):
        pass


def test_closing_removes_the_files_and_spares_the_readers(
    pool: SegmentPool, store: SegmentStore, directory: Path
) -> None:
    """Leases on removed files keep working; a reference comes too late."""
    references = [placed(pool, content(n)) for n in range(2)]
    view = store.find(references[0], SIZE)
    pool.close()
    pool.close()
    assert list(directory.iterdir()) == []
    assert view == content(0)
    assert pool.place(content()) is None
    with pytest.raises(SegmentGoneError):
        store.find(references[1], SIZE)


def test_a_pool_that_is_forgotten_removes_its_files(directory: Path) -> None:
    """Also without a close, if the interpreter gets to it."""
    pool = SegmentPool(directory, least_bytes=1)
    placed(pool, content())
    del pool
    assert list(directory.iterdir()) == []


def test_the_segments_of_the_dead_are_swept(directory: Path) -> None:
    """A pool that was killed leaves files; the next to start removes these and no others."""
    living = SegmentPool(directory, least_bytes=1)
    kept = placed(living, content(1))
    with peer(directory, "say(pool.place(memoryview(b'dead' * 9000))); hear()") as dead:
        left = dead.hear()
        dead.kill()
    assert segment_of(left) in segments_in(directory)
    SegmentPool(directory, least_bytes=1).close()
    assert segments_in(directory) == {segment_of(kept)}
    assert len(list(directory.iterdir())) == 2
    living.close()


def test_a_sweep_spares_the_readers_of_the_dead(directory: Path) -> None:
    """Who reads what a dead process has placed reads on."""
    store = SegmentStore(directory)
    with peer(directory, "say(pool.place(memoryview(b'dead' * 9000))); hear()") as dead:
        view = store.find(dead.hear(), 36000)
        dead.kill()
    SegmentPool(directory).close()
    assert list(directory.iterdir()) == []
    assert view == b"dead" * 9000
    store.close()


def test_a_sweep_minds_strange_files(directory: Path) -> None:
    """What no pool has made is either removed like a dead pool's, or left alone; it stops nobody."""
    (directory / f"{'a' * 16}.owner").symlink_to("/nowhere")
    (directory / f"{'b' * 16}-1").symlink_to("/nowhere")
    (directory / f"{'c' * 16}.owner").mkdir()
    (directory / "notes").write_text("mine")
    pool = SegmentPool(directory, least_bytes=1)
    assert pool.place(content()) is not None
    pool.close()
    assert (directory / "notes").exists()


def test_a_forked_child_places_nothing(directory: Path) -> None:
    """The segments are its parent's, and so they stay when the child ends."""
    with peer(directory, FORK) as parent:
        assert parent.hear() == "child None"
        assert parent.hear() == "parent True True"


FORK = """
ref = pool.place(memoryview(b"x" * 100000))
child = os.fork()
if not child:
    say("child", pool.place(memoryview(b"y" * 100000)))
    pool.release([ref])
    pool.close()
    os._exit(0)
os.waitpid(child, 0)
say("parent", store.find(ref, 100000) == b"x" * 100000, pool.place(memoryview(b"z" * 100000)) is not None)
"""


def test_threads_share_a_pool(pool: SegmentPool, store: SegmentStore) -> None:
    """No two of them fill the same segment."""
    pool._most_bytes = 64 * SIZE
    wrong: list[int] = []

    def work(seed: int) -> None:
        for turn in range(50):
            view = content(seed + turn)
            reference = placed(pool, view)
            found = store.find(reference, SIZE)
            pool.release([reference])
            if found != view:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(n * 50,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_leaks(pool: SegmentPool, store: SegmentStore, directory: Path) -> None:
    """After thousands of cycles there are as many open files, mappings and segments as after a few."""

    def cycle(turn: int) -> None:
        reference = placed(pool, content(turn % 9))
        view = store.find(reference, SIZE)
        if turn % 3 == 0:
            view[turn] = 1
        forwarded = placed(pool, view)
        store.find(forwarded, SIZE)
        pool.release([reference, forwarded])

    def counts() -> tuple[int, int, int]:
        handles = len(list(Path("/proc/self/fd").iterdir()))
        maps = Path("/proc/self/maps").read_text().count(str(directory))
        return handles, maps, len(segments_in(directory))

    for turn in range(10):
        cycle(turn)
    before = counts()
    for turn in range(3000):
        cycle(turn)
    assert counts() == before


@pytest.mark.parametrize("length", [1, 4096, 4097, 65536, 1 << 20, (1 << 20) + 1, 17_000_000])
def test_capacities_waste_little(length: int) -> None:
    """A segment is at least as large as its first buffer, and at most a quarter larger, or one page."""
    capacity = rounded_capacity(length)
    assert length <= capacity <= max(length * 1.25, length + HEADER_BYTES)


def test_a_segment_is_its_owners_alone(pool: SegmentPool, directory: Path) -> None:
    """Files can be read by nobody else."""
    placed(pool, content())
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_a_segment_that_can_not_be_had_leaves_no_file(directory: Path, pool: SegmentPool) -> None:
    """Nor an open one."""
    assert pool._owner is not None
    with pytest.raises(OSError, match=r"\[Errno"):
        SegmentFile(pool._owner.directory, f"{'a' * 16}-1", 1 << 60)
    assert segments_in(directory) == set()
