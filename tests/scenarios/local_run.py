"""Arguments of `run-local` in; the command while it serves, with what it said so far, out."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tests.conftest import Chainctl, await_condition


class LocalRun:
    """A `run-local` in a process of its own; its stderr is read as it comes."""

    def __init__(self, chainctl: Chainctl, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*Chainctl.COMMAND, "run-local", *arguments],
            env=dict(chainctl.environ), cwd=chainctl.directory,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._said: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=[self.process.stderr], daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.said
        return line

    def result(self, expect: int = 0) -> str:
        """Wait for the end and return stdout."""
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        self._reader.join(60)
        assert self.process.wait(60) == expect, self.said
        return text

    def await_said(self, *texts: str, seconds: float = 60) -> None:
        """Wait until all of some texts were said."""
        await_condition(lambda: all(text in self.said for text in texts), seconds=seconds)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self._reader.join(60)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._said.append(line)


@contextmanager
def local_run(chainctl: Chainctl, *arguments: str) -> Iterator[LocalRun]:
    """Run it, and end it with SIGTERM."""
    run = LocalRun(chainctl, *arguments)
    try:
        yield run
    finally:
        run.end()


def asked(url: str, **arguments: Any) -> Any:
    """Call a chain; the value of its answer."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/run_remote", json.dumps(arguments).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
