"""Names and values of secrets in; one private file each in the user's directory of secrets, out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import UsageError
from chainctl.state.private import private_directory, write_private

SIZE_LIMIT = 500 * 1024
"""What a build can be given at most (BuildKit's limit for a secret), in bytes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class SecretDirectory:
    """The directory in which each file is one secret: 0700, its files 0600. It is made when it is needed."""

    path: Path

    def names(self) -> list[str]:
        """Names of all secrets that are kept here, sorted."""
        if not self.path.is_dir():
            return []
        return sorted(one.name for one in self.path.iterdir() if _NAME.fullmatch(one.name) and one.is_file())

    def save(self, name: str, value: bytes) -> bool:
        """Keep a value, all of it or nothing; False when it is the one that was kept.

        Raises UsageError for a name that no chainlet can declare, for no value at all and for one
        that is too large, and when the directory can not be written to.
        """
        require_name(name)
        _require_value(name, value)
        try:
            if self._is(name, value):
                return False
            self._write(name, value)
        except OSError as error:
            raise UsageError(
                f"the secret {name} can not be saved in {self.path}: {error.strerror}",
                hint="see that you own the directory and that its disk has room.",
            ) from None
        return True

    def remove(self, name: str) -> bool:
        """Remove a secret; False when there was none."""
        require_name(name)
        try:
            (self.path / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _is(self, name: str, value: bytes) -> bool:
        path = self.path / name
        return path.is_file() and path.stat().st_mode & 0o077 == 0 and path.read_bytes() == value

    def _write(self, name: str, value: bytes) -> None:
        private_directory(self.path).chmod(0o700)
        write_private(self.path / name, value)


def require_name(name: str) -> None:
    """Raise UsageError for what can not be the name of a secret."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a secret",
            hint="use up to 128 letters, digits, `_`, `.` and `-`; begin with a letter or digit.",
        )


def _require_value(name: str, value: bytes) -> None:
    if not value:
        raise UsageError(
            f"the secret {name} would be empty",
            hint=f"give its value on stdin: `chainctl secret set {name} < FILE`.",
        )
    if len(value) > SIZE_LIMIT:
        raise UsageError(
            f"the secret {name} has {len(value)} bytes, of which {SIZE_LIMIT} are allowed",
            hint="keep the key that opens a larger file as the secret, and the file elsewhere.",
        )
