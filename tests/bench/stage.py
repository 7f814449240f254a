"""Commands in, running services out: started, waited for, paused while others are measured, ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

READY_SEC = 120.0
_POLL_SEC = 0.002
_END_SEC = 10.0


class StartError(Exception):
    """A service did not come up; the message has the last lines of what it said."""


@dataclass(slots=True)
class Service:
    """A process that serves, and how long it took from its start until it was ready."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ready_sec: float = 0.0

    def last_words(self, lines: int = 12) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Stage:
    """The services of one peer. `directory` is theirs: for sources, sockets and logs.

    `shared` are directories elsewhere that go when the services end.
    """

    directory: Path
    services: list[Service] = field(default_factory=list)
    shared: list[Path] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        is_ready: Callable[[], bool],
    ) -> Service:
        """Start a process and wait until it is ready. Raises StartError."""
        log = self.directory / f"{name}.log"
        started = time.perf_counter()
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        service = Service(name, process, log)
        self.services.append(service)
        while not is_ready():
            if process.poll() is not None or time.perf_counter() - started > READY_SEC:
                raise StartError(f"{name} did not start (exit {process.poll()}):\n{service.last_words()}")
            Event().wait(_POLL_SEC)
        service.ready_sec = time.perf_counter() - started
        return service

    def processes(self) -> list[int]:
        """Return the ids of all processes, descendants included."""
        return descendants([s.process.pid for s in self.services if s.process.poll() is None])

    def pause(self) -> None:
        """Stop all processes, so that they take nothing from those being measured."""
        _signal_all(self.processes(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let them run again."""
        _signal_all(self.processes(), signal.SIGCONT)

    def end(self) -> None:
        """End all processes, by force those that do not go."""
        known = self.processes()
        _signal_all(known, signal.SIGCONT)
        _signal_all([s.process.pid for s in self.services], signal.SIGTERM)
        until = time.perf_counter() + _END_SEC
        for service in self.services:
            try:
                service.process.wait(max(0.0, until - time.perf_counter()))
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()
        _signal_all(known, signal.SIGKILL)
        self.services.clear()
        for directory in self.shared:
            shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers_ok(address: str, path: str) -> bool:
    """Say whether `GET path` gives 200 at `tcp:PORT` or `unix:PATH`."""
    kind, _, rest = address.partition(":")
    family, where = (socket.AF_INET, ("127.0.0.1", int(rest))) if kind == "tcp" else (socket.AF_UNIX, rest)
    with socket.socket(family) as connection:
        connection.settimeout(5)
        try:
            connection.connect(where)
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


def accepts(address: str) -> bool:
    """Say whether somebody listens at `tcp:PORT` or `unix:PATH`."""
    kind, _, rest = address.partition(":")
    family, where = (socket.AF_INET, ("127.0.0.1", int(rest))) if kind == "tcp" else (socket.AF_UNIX, rest)
    with socket.socket(family) as connection:
        return connection.connect_ex(where) == 0


def descendants(roots: Iterable[int]) -> list[int]:
    """Return processes and all that they started, as /proc says."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        parent = _parent_of(entry)
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def resident_bytes(roots: Iterable[int]) -> int:
    """Return the resident memory of processes and their descendants."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for process in descendants(roots):
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * page
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return total


def _parent_of(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _signal_all(processes: Iterable[int], number: int) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue  # it ended meanwhile
