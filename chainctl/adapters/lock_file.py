"""The directory of a chain file in; its `chainctl.lock` read and written, whole or not at all, out."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chainctl.build.lock import Lock
from chainctl.build.lock_text import FILE_NAME, lock_text, read_lock
from chainctl.build.settle import without_gone
from chainctl.errors import LockError, Problem


@dataclass(frozen=True, slots=True)
class LockFile:
    """The lock of one chain, as `FILE:ENTRYPOINT`, in the file that the chains of a directory share."""

    path: Path
    chain: str

    @classmethod
    def beside(cls, chain_file: Path, entrypoint: str) -> LockFile:
        return cls(chain_file.parent / FILE_NAME, f"{chain_file.name}:{entrypoint}")

    def read(self) -> Lock:
        """Return the lock, an empty one where there is no file. Raises LockError for a damaged one."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Lock()
        except UnicodeDecodeError:
            raise LockError([
                Problem("CH0807", "the lock is no UTF-8 text", str(self.path),
                        help="take the file from version control again, or remove it and run `chainctl lock`")
            ]) from None  # fmt: skip
        lock = read_lock(text, self.chain, str(self.path))
        names = {name.partition(":")[0] for name in lock.others}
        return without_gone(lock, frozenset(name for name in names if (self.path.parent / name).is_file()))

    def write(self, lock: Lock) -> bool:
        """Write the lock where it differs; says whether it did. A reader sees the old file or the new one."""
        data = lock_text(lock, self.chain).encode()
        if self.path.is_file() and self.path.read_bytes() == data:
            return False
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".chainctl.lock-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o644)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return True
