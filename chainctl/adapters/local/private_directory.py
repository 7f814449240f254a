"""A path in, the same directory out: ours, mode 0700, no symlink somebody else has put there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from chainctl.errors import EngineError

SOCKET_PATH_LIMIT = 100


def private_directory(path: Path) -> Path:
    """Make a directory that only we can enter, and check that it is one. Raises EngineError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _check(path, path.lstat())
    return path


def checked_socket(path: Path) -> Path:
    """Return a socket's path when it is short enough for the kernel. Raises EngineError."""
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise EngineError(
            f"The path of the socket {path} is too long for a Unix socket",
            hint="set XDG_RUNTIME_DIR to a shorter directory that only you can enter",
        )
    return path


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        reason = "is not a directory"
    elif status.st_uid != os.geteuid():
        reason = "belongs to another user"
    elif stat.S_IMODE(status.st_mode) & 0o077:
        reason = "is open to other users"
    else:
        return
    raise EngineError(
        f"The runtime directory {path} {reason}",
        hint=f"look at it with `ls -ld {path}`, then move it away and run the command again",
    )
