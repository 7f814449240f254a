"""A directory on a file system in memory in; the files of shared segments in it, safely opened, out."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

_PLACE = "place"
_PLACE_BYTES = 32


@dataclass(frozen=True, slots=True)
class SegmentDirectory:
    """A directory of our own, held open: what happens to its path later does not matter."""

    handle: int

    @classmethod
    def opened(cls, path: Path) -> Optional[SegmentDirectory]:
        """Open it; None unless it is a directory that is ours and closed to everybody else."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        if _is_private(os.fstat(handle)):
            return cls(handle)
        os.close(handle)
        return None

    def names(self) -> list[str]:
        return os.listdir(self.handle)  # noqa: PTH208  # a handle has no Path

    def open(self, name: str) -> int:
        """Open a file of ours to read. Raises ValueError for anything else, OSError when it is not there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, dir_fd=self.handle)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise ValueError(f"{name} is not a file") from error
            raise
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and _is_private(found):
            return handle
        os.close(handle)
        raise ValueError(f"{name} is not a private file of ours")

    def create(self, name: str) -> int:
        """Make a file and open it to read and write. Raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=self.handle)

    def remove(self, name: str) -> None:
        """Remove a file, if there is one. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.handle)
        except FileNotFoundError:
            return

    def identity(self) -> str:
        """Return what all who see this very directory agree on, and nobody else. Raises OSError, ValueError."""
        try:
            return self._place()
        except FileNotFoundError:
            self._make_place()
            return self._place()

    def close(self) -> None:
        os.close(self.handle)

    def _place(self) -> str:
        handle = self.open(_PLACE)
        try:
            return os.pread(handle, _PLACE_BYTES, 0).decode("ascii")
        finally:
            os.close(handle)

    def _make_place(self) -> None:
        """Write a random name for the directory, unless another process is first; seen whole or not at all."""
        unfinished = f"{_PLACE}-{secrets.token_hex(8)}"
        handle = self.create(unfinished)
        try:
            os.write(handle, secrets.token_hex(_PLACE_BYTES // 2).encode())
            os.link(unfinished, _PLACE, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        except FileExistsError:
            return
        finally:
            os.close(handle)
            self.remove(unfinished)


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
