"""A terminal in; the keys that are pressed on it, one at a time, out."""

from __future__ import annotations

import os
import re
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_SEQUENCE = re.compile(r"\x1b(\[[0-9;]*[A-Za-z~]|O.)?")
"""Arrows and other keys of several characters, which are none of ours."""


@contextmanager
def pressed(terminal: int, act: Callable[[str], None]) -> Iterator[None]:
    """Call `act` with each key from a thread of its own; the terminal is as it was before in the end.

    Ctrl-C stays an interrupt. A terminal that is gone presses nothing any more.
    """
    before = termios.tcgetattr(terminal)
    ours, theirs = os.pipe()
    thread = threading.Thread(target=_read, args=(terminal, ours, act), name="keys", daemon=True)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        thread.start()
        yield
    finally:
        os.close(theirs)
        if thread.ident is not None:
            thread.join()
        os.close(ours)
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(terminal: int, stop: int, act: Callable[[str], None]) -> None:
    while True:
        ready, _, _ = select.select([terminal, stop], [], [])
        if stop in ready:
            return
        try:
            data = os.read(terminal, 64)
        except OSError:
            return
        if not data:
            return
        for key in _SEQUENCE.sub("", data.decode(errors="ignore")):
            act(key)
