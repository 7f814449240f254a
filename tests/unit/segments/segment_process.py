"""A directory and the source of a program in; a real process that shares segments with the test out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_BEGIN = """
import os, sys
from pathlib import Path
from chainctl.segments.pool import SegmentPool
from chainctl.segments.store import SegmentStore
directory = Path(sys.argv[1])
store = SegmentStore(directory)
pool = SegmentPool(directory, store=store, least_bytes=1)
def say(*words):
    print(*words, flush=True)
def hear():
    return sys.stdin.readline().strip()
"""


@dataclass(frozen=True)
class Peer:
    """A process that is told and tells a line at a time."""

    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it with SIGKILL, as when memory runs out."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A private directory, on a file system in memory where there is one."""
    shared_memory = Path("/dev/shm")
    if not os.access(shared_memory, os.W_OK):
        tmp_path.chmod(0o700)
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared_memory, prefix="chainctl-test-") as place:
        yield Path(place)


@contextmanager
def peer(directory: Path, program: str) -> Iterator[Peer]:
    """Run a program that has `directory`, `store`, `pool`, `say` and `hear`; killed in the end."""
    argv = [sys.executable, "-W", "error", "-c", _BEGIN + program, str(directory)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()
