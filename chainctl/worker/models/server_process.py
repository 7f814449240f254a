"""A shell command in; the server that it starts, ready, watched, and ended with all of its processes, out."""

from __future__ import annotations

import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Optional

from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.server_settings import HOST, ServerSettings

GRACE_SEC = 10.0
_PROBE_SEC = 5.0
_FIRST_PAUSE_SEC = 0.05
_LONGEST_PAUSE_SEC = 1.0
_LONGEST_LINE = 64 * 1024
_GUARDED = """\
exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
exec /bin/sh -c "$1"
"""
"""Runs a command beside one that reads from us: when we are gone, however that came, all of the group is killed."""
_LOG = logging.getLogger("chainctl.models")


class ServerProcess:
    """One server, in a process group of its own, that does not outlive us. What it writes becomes lines of our log.

    `ended` is called from another thread when it ends by itself after it was ready, with how it did.
    """

    def __init__(self, settings: ServerSettings, ended: Callable[[str], None]) -> None:
        self._settings = settings
        self._ended = ended
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._is_ready = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(self, environ: Mapping[str, str]) -> None:
        """Start it, and wait until it is ready, for as long as it lives. Raises CannotStartError."""
        with self._lock:
            if self._stopping.is_set():
                raise _stopped()
            self._process = subprocess.Popen(  # the user's own command, as config.yaml has it
                ["/bin/sh", "-c", _GUARDED, "sh", self._settings.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            )
        reader = threading.Thread(target=self._read, name="chainctl-server-output", daemon=True)
        reader.start()
        self._await_ready(reader)
        self._is_ready = True
        threading.Thread(target=self._watch, args=(reader,), name="chainctl-server", daemon=True).start()

    def stop(self, grace_sec: float = GRACE_SEC) -> None:
        """Ask it to end, and after a while make it: nothing of its group is left."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is None:
            return
        _signal(process, signal.SIGTERM)
        try:
            process.wait(grace_sec)
        except subprocess.TimeoutExpired:
            _LOG.warning("the server did not end in %g s and is killed", grace_sec)
        _end_group(process)
        process.wait()

    def _await_ready(self, reader: threading.Thread) -> None:
        pause = _FIRST_PAUSE_SEC
        while not self._answers():
            assert self._process is not None
            code = self._process.poll()
            if self._stopping.is_set():
                raise _stopped()
            if code is not None:
                reader.join(_PROBE_SEC)
                _end_group(self._process)
                raise CannotStartError(
                    f"the server ended with {_words(code)} before it was ready: {self._settings.command}",
                    hint="mend `docker_server.start_command` in config.yaml, then push again; its output is above.",
                )
            self._stopping.wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SEC)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._settings.port, timeout=_PROBE_SEC)
        try:
            connection.request("GET", self._settings.readiness)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in iter(lambda: output.readline(_LONGEST_LINE), b""):
                sys.stdout.write(line.decode(errors="replace").removesuffix("\n") + "\n")
                sys.stdout.flush()

    def _watch(self, reader: threading.Thread) -> None:
        assert self._process is not None
        code = self._process.wait()
        if not self._stopping.is_set():
            reader.join(_PROBE_SEC)
            self._ended(f"the server ended with {_words(code)}")


def _stopped() -> CannotStartError:
    return CannotStartError("the service was stopped before its server was ready")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left: what the server has started may still be there, and who reads from us is."""
    _signal(process, signal.SIGKILL)
    assert process.stdin is not None
    process.stdin.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole group; its number is free for others only when all of it has gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
