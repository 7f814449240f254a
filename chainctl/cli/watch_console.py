"""What commands tell in; the same on the screen of a watched chain out."""

from __future__ import annotations

from pathlib import Path

from chainctl.cli.console import Console
from chainctl.cli.diagnostics import PLAIN, Palette, diagnostics_text
from chainctl.cli.watch_screen import WatchScreen
from chainctl.errors import ChainctlError, ChainDefinitionError
from chainctl.events import EditRefused, Event


class WatchConsole(Console):
    """A console whose lines go to a screen; nothing is written to stderr."""

    def __init__(self, screen: WatchScreen) -> None:
        super().__init__()
        self._screen = screen

    @property
    def palette(self) -> Palette:
        return PLAIN

    def emit(self, event: Event) -> None:
        self._screen.emit(event)

    def line(self, text: str) -> None:
        self._screen.line(text)

    def failure(self, error: ChainctlError) -> None:
        """Show it where refused edits are shown, until one is served."""
        details = tuple(error.details)
        if isinstance(error, ChainDefinitionError):
            details = (diagnostics_text(error.problems, Path.cwd(), PLAIN),)
        self._screen.emit(EditRefused(error.message, (*details, *([error.hint] if error.hint else []))))

    def stop(self) -> None:
        """Nothing is live but the screen."""
