"""A chain that is watched on a terminal: one screen, and keys."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench.watch_chain import CHAIN, Edition, sources
from tests.bench.watched import Door, environ_of, save_all
from tests.conftest import ROOT, Chainctl, await_condition
from tests.scenarios.test_watch import START_SEC, free_port

_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\([A-Z])")
_SHOWN_SEC = 30


@dataclass
class Terminal:
    """A terminal of 140 columns with a command on it; `text` is all that was ever written, without control codes."""

    process: subprocess.Popen[bytes]
    ours: int
    written: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.written.decode(errors="replace"))

    def read(self) -> None:
        with suppress(OSError):  # the command has ended
            while data := os.read(self.ours, 65536):
                self.written += data

    def press(self, key: str) -> None:
        os.write(self.ours, key.encode())

    def await_text(self, text: str) -> None:
        """Wait until something is written; what was written before that is forgotten."""
        try:
            await_condition(lambda: text in self.text, seconds=_SHOWN_SEC)
        except AssertionError:
            raise AssertionError(f"{text!r} is not shown, but:\n{self.text[-6000:]}") from None
        self.written.clear()


@contextmanager
def terminal(command: list[str], environ: dict[str, str]) -> Iterator[Terminal]:
    """Run a command on a terminal of its own, until the block ends or it does."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 140))
    process = subprocess.Popen(
        command, env={**environ, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = Terminal(process, ours)
    reader = threading.Thread(target=shown.read, daemon=True)
    reader.start()
    try:
        yield shown
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        reader.join(10)
        os.close(ours)


def test_a_screen_with_keys(tmp_path: Path) -> None:
    """Edits, a call again, a restart and a push are seen on it; the chain goes on when it is left."""
    directory, name, port = tmp_path / "chain", f"tws-{uuid.uuid4().hex[:6]}", free_port()
    environ, edition = environ_of(tmp_path, port), Edition()
    chainctl, url = Chainctl(environ, ROOT), f"http://127.0.0.1:{port}"
    save_all(directory, sources(edition, START_SEC))
    command = [sys.executable, "-m", "chainctl.cli.main", "watch", str(directory / CHAIN)]
    try:
        with terminal([*command, "--name", name, "--target", "local"], environ) as shown:
            shown.await_text(f"{name}  {url}  local  as pushed")
            shown.press("c")
            shown.await_text("No request has come")
            with closing(Door(url)) as door:
                assert door.ask() == list(edition.marks)
                shown.press("c")
                shown.await_text("called again")
                edition = replace(edition, top=2, model=2)
                save_all(directory, sources(edition, START_SEC))
                shown.await_text("swap in ")
                assert door.ask() == list(edition.marks)
            save_all(directory, {**sources(edition, START_SEC), CHAIN: "def"})
            shown.await_text("not served: ")
            save_all(directory, sources(edition, START_SEC))
            shown.press("r")
            shown.await_text("restart in ")
            shown.press("b")
            shown.await_text("push in ")
            shown.press("q")
            assert shown.process.wait(30) == 0
            await_condition(lambda: f"{name} goes on at {url}" in shown.text, seconds=10)
        with closing(Door(url)) as door:
            assert door.ask() == list(edition.marks)
    finally:
        chainctl("down", name, "--target", "local")
