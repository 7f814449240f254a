"""A directory of segments in; a name that is ours while we live, and the segments of the dead swept, out.

Each pool holds a lock on a file of its own. The kernel drops the lock with the process, however that
ended; so an unlocked file tells that nobody owns the segments that begin with its name.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from typing import Optional

from chainctl.segments.directory import SegmentDirectory
from chainctl.segments.reference import OWNER_NAME, SEGMENT_NAME

_SUFFIX = ".owner"


@dataclass(frozen=True, slots=True)
class SegmentOwner:
    """The name under which one pool has segments, and the lock that proves that it lives."""

    directory: SegmentDirectory
    name: str
    handle: int

    @classmethod
    def registered(cls, directory: SegmentDirectory) -> SegmentOwner:
        """Take a new name. Raises OSError."""
        while True:
            name = secrets.token_hex(8)
            handle = directory.create(name + _SUFFIX)
            # Before it was locked, another pool may have taken it for one of the dead.
            if lock_alone(handle) and os.fstat(handle).st_nlink:
                return cls(directory, name, handle)
            os.close(handle)

    def resign(self) -> None:
        """Give the name up; its segments are gone by then."""
        self.directory.remove(self.name + _SUFFIX)
        os.close(self.handle)


def sweep(directory: SegmentDirectory) -> None:
    """Remove the segments of pools that did not end well. Raises OSError.

    Who still has one of them open keeps it: only its name goes.
    """
    segments: dict[str, list[str]] = {}
    for name in directory.names():
        if found := SEGMENT_NAME.fullmatch(name):
            segments.setdefault(found[1], []).append(name)
        elif name.endswith(_SUFFIX) and OWNER_NAME.fullmatch(name[: -len(_SUFFIX)]):
            segments.setdefault(name[: -len(_SUFFIX)], [])
    for owner, names in segments.items():
        _sweep_owner(directory, owner, names)


def lock_alone(handle: int) -> bool:
    """Lock an open file unless anybody else has it locked; say whether it is now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_shared(handle: int) -> bool:
    """Lock an open file together with others unless somebody has it alone; say whether it is now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep_owner(directory: SegmentDirectory, owner: str, segments: list[str]) -> None:
    """Remove an owner that is dead; one without a file is, as the file comes first and goes last."""
    handle = _opened(directory, owner + _SUFFIX)
    try:
        if handle is None or lock_alone(handle):
            for name in segments:
                _remove_segment(directory, name)
            directory.remove(owner + _SUFFIX)
    finally:
        if handle is not None:
            os.close(handle)


def _opened(directory: SegmentDirectory, name: str) -> Optional[int]:
    try:
        return directory.open(name)
    except (FileNotFoundError, ValueError):  # no pool makes links and the like
        return None


def _remove_segment(directory: SegmentDirectory, name: str) -> None:
    """Remove a segment; when nobody reads it, give its memory back though it be mapped somewhere."""
    try:
        handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory.handle)
    except OSError:
        directory.remove(name)
        return
    try:
        if lock_alone(handle):
            os.ftruncate(handle, 0)
        directory.remove(name)
    finally:
        os.close(handle)
