"""The socket of a service in, no process that belongs to it left out.

A process is known by its environment, which it inherits, and never by a number that may have been
given to somebody else since. Where there is no /proc, nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def kill_processes_of(place: Path) -> None:
    """Kill every process of ours that listens at, or below, a place in the runtime directory."""
    marker = b"CHAINCTL_LISTEN=unix:" + os.fsencode(place)
    for pid in _processes():
        if any(_is_at(entry, marker) for entry in _environment(pid)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[int]:
    if not _PROC.is_dir():
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _is_at(entry: bytes, marker: bytes) -> bool:
    return entry == marker or entry.startswith(marker + b"/")
