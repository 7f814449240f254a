"""What happens to a watched chain, its rates and its log lines in; one calm screen out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from chainctl.cli.watch_picture import picture
from chainctl.cli.watch_view import WatchView
from chainctl.deploy.target import LogLine
from chainctl.errors import ChainctlError
from chainctl.events import Event
from chainctl.wire.log_line import readable
from chainctl.workflows.top import Load

if TYPE_CHECKING:
    from rich.console import Console

_QUIET_SEC = 0.1
_AT_LEAST_SEC = 1.0
_AGAIN_SEC = 1.0
_T = TypeVar("_T")


class WatchScreen:
    """Shows a view; any thread may change it. It is drawn again after a change, and no more often than calm."""

    def __init__(self, view: WatchView) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._over = threading.Event()

    @property
    def view(self) -> WatchView:
        """What is shown now."""
        return self._view

    def emit(self, event: Event) -> None:
        """Show what happened."""
        self._turn(lambda view: view.after(event))

    def line(self, text: str) -> None:
        """Show lines below."""
        self._turn(lambda view: view.noted(text))

    def serving(self, chain: str, target: str, chainlets: Iterable[str], url: str) -> None:
        """Show that a chain of these chainlets serves."""
        names = tuple(chainlets)
        self._turn(lambda view: view.serving(chain, target, names, url))

    @contextmanager
    def drawn(
        self,
        loads: Callable[[], Iterator[Load]],
        logs: Callable[[], Iterator[LogLine]],
        terminal: Console | None = None,
    ) -> Iterator[None]:
        """Draw it on the terminal of stdout, or another one, until the block ends.

        `loads` and `logs` are read beside; what fails or ends is begun again after a moment.
        """
        from rich.live import Live

        with Live(console=terminal, auto_refresh=False, screen=True) as live:

            def draw() -> None:
                size = live.console.size
                live.update(picture(self._view, size.width, size.height), refresh=True)

            drawing = threading.Thread(target=self._draw, args=(draw,), name="screen", daemon=True)
            reading = [
                self._reader("loads", loads, self._load),
                self._reader("logs", logs, self._log),
            ]
            for thread in (drawing, *reading):
                thread.start()
            try:
                yield
            finally:
                self._over.set()
                self._changed.set()
                drawing.join()

    def _reader(
        self, name: str, begin: Callable[[], Iterator[_T]], show: Callable[[_T], None]
    ) -> threading.Thread:
        return threading.Thread(target=read_again, args=(begin, show, self._over), name=name, daemon=True)

    def _turn(self, change: Callable[[WatchView], WatchView]) -> None:
        with self._lock:
            self._view = change(self._view)
        self._changed.set()

    def _load(self, load: Load) -> None:
        self._turn(lambda view: view.loaded(load))

    def _log(self, line: LogLine) -> None:
        self.line("\n".join(f"{line.chainlet} | {text}" for text in readable([line.text])))

    def _draw(self, draw: Callable[[], None]) -> None:
        while not self._over.is_set():
            self._changed.clear()
            draw()
            self._over.wait(_QUIET_SEC)
            self._changed.wait(_AT_LEAST_SEC)


def read_again(
    begin: Callable[[], Iterator[_T]],
    show: Callable[[_T], None],
    over: threading.Event,
    pause_sec: float = _AGAIN_SEC,
) -> None:
    """Show one thing after another until that is over; what fails or ends is begun again after a moment."""
    while not over.is_set():
        try:
            for one in begin():
                if over.is_set():
                    return
                show(one)
        except ChainctlError:
            pass  # a push may be on its way, or the engine is away
        over.wait(pause_sec)
