"""Commands in; what they wrote out, and all of them ended at once when the command is cancelled."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Processes:
    """Knows which programs run, over all threads; once cancelled, it starts none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_cancelled = False

    def run(self, command: Sequence[str], directory: Path, environ: Mapping[str, str]) -> tuple[int, str]:
        """Run a program, never through a shell; returns its exit code and what it wrote to stderr."""
        with self._lock:
            if self._is_cancelled:
                return 1, ""
            program = subprocess.Popen(
                command, cwd=directory, env=dict(environ), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            self._running.add(program)
        try:
            said = program.communicate()[1]
        finally:
            program.kill()
            program.wait()
            with self._lock:
                self._running.discard(program)
        return program.returncode, said.decode(errors="replace")

    def cancel(self) -> None:
        """End all programs, of now and of later, from any thread."""
        with self._lock:
            self._is_cancelled = True
            for program in self._running:
                program.terminate()
