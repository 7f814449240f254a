"""The log files of a chain's services in, their lines merged by time out."""

from __future__ import annotations

import heapq
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path

from chainctl.adapters.local.memory import RunMemory, recall
from chainctl.adapters.local.paths import RunPaths
from chainctl.deploy.target import LogLine
from chainctl.wire.log_line import readable

_POLL_SEC = 0.1
_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Source:
    """One service and its log file."""

    service: str
    chainlet: str
    path: Path


def read_logs(
    run: RunPaths,
    *,
    chainlets: Sequence[str] = (),
    since: float | None = None,
    tail: int | None = None,
    follow: bool = False,
) -> Iterator[LogLine]:
    """Yield lines in time order; with `follow` until the chain is taken down."""
    readers: dict[str, LogReader] = {}
    try:
        lines = _new_lines(run, readers, chainlets)
        wanted = (line for line in lines if since is None or line.time >= since)
        yield from wanted if tail is None else deque(wanted, maxlen=tail)
        while follow and run.memory.exists():
            yield from _new_lines(run, readers, chainlets)
            threading.Event().wait(_POLL_SEC)
    finally:
        for reader in readers.values():
            reader.close()


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a file as they are, [] when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def last_words(path: Path, count: int) -> list[str]:
    """Return the last lines that a service wrote, as people read them, without their times."""
    lines = last_lines(path, count)
    if len(lines) < count:
        lines = (last_lines(_older(path), count) + lines)[-count:]
    return readable(line.partition(" ")[2] for line in lines)[-count:]


def _new_lines(run: RunPaths, readers: dict[str, LogReader], chainlets: Sequence[str]) -> Iterator[LogLine]:
    memory = recall(run.memory)
    for source in _sources(run, memory) if memory is not None else []:
        is_wanted = not chainlets or source.chainlet in chainlets
        if is_wanted and source.service not in readers:
            readers[source.service] = LogReader(source.service, source.chainlet, source.path)
    return heapq.merge(*(reader.lines() for reader in readers.values()), key=lambda line: line.time)


def _sources(run: RunPaths, memory: RunMemory) -> Iterable[_Source]:
    named = {service.name: service.chainlet for service in memory.retired}
    named.update({service.name: service.chainlet for service in memory.services})
    return [_Source(name, chainlet, run.log_of(name)) for name, chainlet in sorted(named.items())]


class LogReader:
    """Reads one service's log onwards from where it was, across rotations."""

    def __init__(self, service: str, chainlet: str, path: Path) -> None:
        self._service = service
        self._chainlet = chainlet
        self._path = path
        self._file: BufferedReader | None = None
        self._partial = b""
        self._is_new = True

    def lines(self) -> Iterator[LogLine]:
        """Yield the complete lines that were added since the last time."""
        if self._is_new and _older(self._path).exists():
            with _older(self._path).open("rb") as file:
                yield from self._parsed(file)
        self._is_new = False
        if self._file is not None and self._was_rotated(self._file):
            yield from self._parsed(self._file)
            self.close()
        if self._file is None and self._path.exists():
            self._file = self._path.open("rb")
        if self._file is not None:
            yield from self._parsed(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _was_rotated(self, file: BufferedReader) -> bool:
        try:
            return self._path.stat().st_ino != _inode(file)
        except FileNotFoundError:
            return True

    def _parsed(self, file: BufferedReader) -> Iterator[LogLine]:
        for raw in file:
            if not raw.endswith(b"\n"):
                self._partial += raw
                continue
            line, self._partial = self._partial + raw, b""
            time, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
            yield LogLine(_seconds(time), self._chainlet, self._service, text)


def _inode(file: BufferedReader) -> int:
    return os.fstat(file.fileno()).st_ino


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
