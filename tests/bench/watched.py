"""A chain file in; `chainctl watch` of it as a process, its lines, and files saved as editors do, out."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_POLL_SEC = 0.003
_END_SEC = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line that the command wrote, and when."""

    time: float
    text: str


@dataclass
class Watched:
    """A running `chainctl watch`. Lines are read beside; waiting looks at each of them once, in order."""

    process: subprocess.Popen[str]
    lines: list[Line] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    _seen: int = 0
    _is_over: bool = False

    def read(self) -> None:
        """Take lines as they come, until the command ends."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for text in lines:
                self._take(Line(time.time(), text.rstrip("\n")))
        with self._arrived:
            self._is_over = True
            self._arrived.notify_all()

    def await_line(self, holds: Callable[[str], bool], seconds: float) -> Line:
        """Wait for a line after all that were looked at. Fails with everything that was written instead."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if holds(self.lines[self._seen - 1].text):
                        return self.lines[self._seen - 1]
                if self._is_over or time.monotonic() > deadline:
                    raise AssertionError(
                        "no such line:\n" + "\n".join(line.text for line in self.lines[-40:])
                    )
                self._arrived.wait(0.5)

    def skip(self) -> None:
        """Look at nothing that was written so far."""
        with self._arrived:
            self._seen = len(self.lines)

    def _take(self, line: Line) -> None:
        with self._arrived:
            self.lines.append(line)
            self._arrived.notify_all()


@contextmanager
def watching(
    file: Path, name: str, target: str, environ: Mapping[str, str], *, start_sec: float = 240
) -> Iterator[Watched]:
    """Watch a chain file from when it serves on; in the end the command is interrupted, as by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chainctl.cli.main", "watch", str(file), "--name", name, "--target", target],
        env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watched = Watched(process)
    reader = threading.Thread(target=watched.read, daemon=True)
    reader.start()
    try:
        watched.await_line(is_watching, start_sec)
        yield watched
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        process.wait(_END_SEC)
        reader.join()


def is_watching(text: str) -> bool:
    return text.lower().startswith("watching")


def is_told(text: str) -> bool:
    """Say whether a line tells what came of an edit."""
    return text.startswith(("  edit ", "  pushed", "not served"))


def save(file: Path, text: str, *, by_rename: bool = True) -> float:
    """Write a file as an editor does; the time just before it is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not by_rename:
        began = time.time()
        file.write_text(text, encoding="utf-8")
        return began
    beside = file.with_name(f".{file.name}.swp")
    beside.write_text(text, encoding="utf-8")
    began = time.time()
    beside.replace(file)
    return began


def save_all(directory: Path, texts: Mapping[str, str], *, by_rename: bool = True) -> float:
    """Write the files whose text differs; the time just before the first of them is there."""
    changed = {
        directory / name: text
        for name, text in texts.items()
        if not (directory / name).exists() or (directory / name).read_text() != text
    }
    return min([save(file, text, by_rename=by_rename) for file, text in changed.items()], default=time.time())


class Door:
    """The front door of a chain, over one connection that stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=60)

    def ask(self, value: Any = None) -> Any:
        """Call it; its answer. Raises AssertionError with any other status."""
        self._connection.request(
            "POST", "/run_remote", json.dumps(value or {}), {"content-type": "application/json"}
        )
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{answer.status}: {body[:500]!r}"
        return json.loads(body)

    def ask_until(self, wanted: Sequence[str], seconds: float) -> float:
        """Ask again and again until an answer is as wanted; when it came."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while True:
            answer = self.ask()
            came = time.time()
            if answer == list(wanted):
                return came
            assert time.monotonic() < deadline, f"{wanted} was not answered within {seconds} s, but {answer}"
            pause.wait(_POLL_SEC)

    def close(self) -> None:
        self._connection.close()


def environ_of(directory: Path, port: int, **extra: str) -> dict[str, str]:
    """Return an environment with settings and state of its own, whose chain serves at a port."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHAINCTL_", "XDG_")) and k != "CI"}
    return {
        **kept,
        "XDG_STATE_HOME": str(directory / "state"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "CHAINCTL_BUILD_NETWORK": "host",
        "CHAINCTL_PORT": str(port),
        "NO_COLOR": "1",
        **extra,
    }
