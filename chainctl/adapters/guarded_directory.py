"""A place for a directory of our own in; that directory, which is removed however this process ends, out."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GUARD = """trap '' HUP INT TERM; cat >/dev/null; rm -rf -- "$1" """


@contextmanager
def guarded_directory(prefix: str, parent: str | None = None) -> Iterator[Path]:
    """Make a directory, mode 0700. A shell beside removes it: it reads the end of its input when this process
    ends, by being killed, too.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        try:
            yield Path(name)
        finally:
            guard.communicate()
