"""A screen in memory and a terminal of a pair: what is drawn, and which keys arrive."""

from __future__ import annotations

import io
import os
import pty
import queue
import termios
import threading
from collections.abc import Iterator

from rich.console import Console

from chainctl.cli.keys import pressed
from chainctl.cli.watch_screen import WatchScreen
from chainctl.cli.watch_view import WatchView
from chainctl.deploy.target import LogLine
from chainctl.errors import DeployError
from chainctl.events import EditApplied
from chainctl.workflows.top import Load, Rates, ServiceLoad
from tests.conftest import await_condition


def test_what_happens_is_drawn() -> None:
    """Events, rates and log lines; a source that fails is asked again."""
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=100, height=20, color_system=None)
    over, tries = threading.Event(), list[int]()

    def loads() -> Iterator[Load]:
        tries.append(1)
        if len(tries) == 1:
            raise DeployError("a push is on its way")
        yield Load(1, (ServiceLoad("say-1", "Say", Rates(7, 0, 0, None, None), 0, 0, 0, {}),), ())
        over.wait()

    def logs() -> Iterator[LogLine]:
        yield LogLine(0, "Say", "say-1", "spoken")
        over.wait()

    screen = WatchScreen(WatchView("hello", "local"))
    try:
        with screen.drawn(loads, logs, terminal):
            screen.serving("hello", "local", ["Say"], "http://x")
            screen.emit(EditApplied(3, (("Say", "swap", "a body"),), 0.05))
            for text in ("swap in 0.05 s: a body", "Say | spoken", "7.0"):
                await_condition(lambda text=text: text in out.getvalue(), seconds=20)  # type: ignore[misc]
    finally:
        over.set()
    assert screen.view.generation == 3


def test_keys_arrive_one_by_one_and_the_terminal_is_as_before() -> None:
    """No line has to be ended; arrows are none of ours."""
    ours, theirs = pty.openpty()
    try:
        before, keys = termios.tcgetattr(theirs), queue.SimpleQueue[str]()
        with pressed(theirs, keys.put):
            assert not termios.tcgetattr(theirs)[3] & termios.ICANON
            os.write(ours, b"r")
            assert keys.get(timeout=20) == "r"
            os.write(ours, b"\x1b[A")
            os.write(ours, b"q")
            assert keys.get(timeout=20) in "q"
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_that_is_gone_ends_quietly() -> None:
    """As when a window is closed."""
    ours, theirs = pty.openpty()
    try:
        with pressed(theirs, lambda key: None):
            os.close(ours)
    finally:
        os.close(theirs)
