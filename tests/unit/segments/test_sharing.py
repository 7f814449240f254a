"""What a service makes of the variables that its target sets."""

from __future__ import annotations

from pathlib import Path

from chainctl.segments.sharing import SegmentSharing
from tests.unit.segments.segment_process import directory

__all__ = ["directory"]
SIZE = 1 << 20


def test_a_directory_is_shared(directory: Path) -> None:
    """Two services of one directory have one identity, and find what the other has placed."""
    environ = {"CHAINCTL_SHARED_DIR": str(directory), "CHAINCTL_SHARED_BYTES": str(SIZE)}
    one, other = SegmentSharing.opened(environ), SegmentSharing.opened(environ)
    assert one is not None
    assert other is not None
    assert one.identity == other.identity
    reference = one.pool.place(memoryview(bytes(SIZE)))
    assert reference is not None
    assert other.store.find(reference, SIZE) == bytes(SIZE)
    assert one.pool.place(memoryview(bytes(SIZE))) is None, "the variable bounds the memory"
    one.close()
    other.close()
    assert [path.name for path in directory.iterdir()] == ["place"]


def test_without_a_directory_nothing_is_shared(directory: Path) -> None:
    """None is set, it is not there, or it is open to others."""
    (directory / "open").mkdir()
    (directory / "open").chmod(0o755)
    for place in (None, str(directory / "none"), str(directory / "open")):
        assert SegmentSharing.opened({} if place is None else {"CHAINCTL_SHARED_DIR": place}) is None
