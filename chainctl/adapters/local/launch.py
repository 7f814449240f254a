"""The places of a run in, a detached supervisor that answers out."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from chainctl.adapters.local.client import SupervisorClient, SupervisorGone
from chainctl.adapters.local.logs import last_lines
from chainctl.adapters.local.memory import write_whole
from chainctl.adapters.local.paths import RunPaths
from chainctl.adapters.local.private_directory import checked_socket, private_directory
from chainctl.adapters.local.supervisor.settings import RunSettings
from chainctl.errors import EngineError

START_SEC = 20.0
_POLL_SEC = 0.05
_LOG_BYTES = 1024 * 1024
_SOURCE_ROOT = Path(__file__).parents[3]


def ensure_supervisor(run: RunPaths, *, drain_sec: float, environ: Mapping[str, str]) -> None:
    """Start a supervisor unless one answers. Raises EngineError with its last words."""
    deadline = time.monotonic() + START_SEC
    while not _answers(run):
        _prepare(run, drain_sec)
        word = _start(run, environ)
        if word == b"ready":
            return
        if word != b"other" or time.monotonic() > deadline:
            raise EngineError(
                f"The supervisor of {run.chain} did not start",
                hint=f"look at {run.supervisor_log}",
                details=last_lines(run.supervisor_log, 20),
            )
        threading.Event().wait(_POLL_SEC)


def wait_until_gone(run: RunPaths, within_sec: float) -> bool:
    """Wait until no supervisor holds the chain's lock; say whether that came true."""
    deadline = time.monotonic() + within_sec
    while _is_locked(run.lock):
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(_POLL_SEC)
    return True


def _answers(run: RunPaths) -> bool:
    try:
        SupervisorClient(run).memory()
    except SupervisorGone:
        return False
    return True


def _prepare(run: RunPaths, drain_sec: float) -> None:
    for directory in (run.runtime.parent, run.runtime, run.sockets):
        private_directory(directory)
    private_directory(run.secrets.parent)
    checked_socket(run.socket_of(""))
    run.state.mkdir(parents=True, exist_ok=True)
    settings = RunSettings(run=run, drain_sec=drain_sec)
    write_whole(run.settings, settings.model_dump_json().encode())


def _start(run: RunPaths, environ: Mapping[str, str]) -> bytes:
    """Start the process and return its first word, b"" when it died before it had one."""
    heard, said = os.pipe()
    try:
        _spawn(run, environ, said)
    finally:
        os.close(said)
    try:
        is_heard, _, _ = select.select([heard], [], [], START_SEC)
        return os.read(heard, 16) if is_heard else b""
    finally:
        os.close(heard)


def _spawn(run: RunPaths, environ: Mapping[str, str], said: int) -> None:
    with _log_of(run).open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "chainctl.adapters.local.supervisor", str(run.runtime), str(said)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=run.runtime,
            env={**environ, "PYTHONPATH": str(_SOURCE_ROOT)},
            pass_fds=(said,),
            start_new_session=True,
            check=False,
        )


def _log_of(run: RunPaths) -> Path:
    path = run.supervisor_log
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path


def _is_locked(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
