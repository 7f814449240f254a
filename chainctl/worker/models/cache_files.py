"""Files of a cache that several processes use in; changed in one step, by one of them at a time, out."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainctl.worker.models.download import on_disk

_LOG = logging.getLogger("chainctl.models")


@contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    """Wait for a lock, which a process that is killed gives back. Raises CannotStartError for a disk that refuses."""
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(descriptor, name)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _LOG.info("waiting for another replica that fetches %s", name)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def linked(path: Path, to: str) -> None:
    """Make a link in one step; one that is there already leads to the new place from then on."""
    if path.is_symlink() and path.readlink().as_posix() == to:
        return
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name[:64]}.{os.getpid()}.link")
        draft.unlink(missing_ok=True)
        draft.symlink_to(to)
        draft.replace(path)


def written(path: Path, text: str) -> None:
    """Write a small file in one step."""
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name[:64]}.{os.getpid()}.draft")
        draft.write_text(text)
        draft.replace(path)
