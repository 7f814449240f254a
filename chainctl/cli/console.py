"""Events and errors in; lines on stderr out. stdout is left to the result of a command."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainctl.cli.diagnostics import PLAIN, Palette, diagnostics_text
from chainctl.errors import ChainctlError, ChainDefinitionError, Problem
from chainctl.events import (
    ONLY_LINES,
    BuildFinished,
    BuildLogged,
    BuildStarted,
    BuildStepEnded,
    BuildStepped,
    EditApplied,
    EditRefused,
    Event,
    Notice,
    OperationFinished,
    OperationStarted,
    PhaseStarted,
)

LONG_STEP_SEC = 1.0

if TYPE_CHECKING:
    from rich.status import Status


class Console:
    """Shows progress on stderr: a live line on a terminal, one plain line a change elsewhere."""

    def __init__(self, *, is_quiet: bool = False, is_verbose: bool = False) -> None:
        self._is_quiet = is_quiet
        self._is_verbose = is_verbose
        self._lock = threading.Lock()
        self._active: dict[str, str] = {}
        self._status: Status | None = None

    @property
    def palette(self) -> Palette:
        return Palette.colored() if has_color(sys.stderr) else PLAIN

    def emit(self, event: Event) -> None:
        """Show an event; may be called from any thread."""
        if self._is_quiet:
            return
        with self._lock:
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case PhaseStarted(title=title):
                self._line(f"{self.palette.strong}{title}{self.palette.off}")
            case Notice(text=text):
                self._line(text)
            case BuildStarted(chainlet=chainlet, image=image, reason=reason):
                self._begin(chainlet, f"building {chainlet}")
                (self._line if reason else self._detail)(
                    f"  {chainlet}: building {image}{f': {reason}' if reason else ''}"
                )
            case BuildStepped(chainlet=chainlet, step=step, cached=cached):
                self._begin(chainlet, f"{chainlet}: {step}")
                self._detail(f"  {chainlet}: {step}{' (cached)' if cached else ''}")
            case BuildStepEnded(chainlet=chainlet, step=step, seconds=seconds, cached=cached):
                if seconds >= LONG_STEP_SEC and not cached:
                    self._detail(f"  {chainlet}: {step} took {seconds:.1f} s")
            case BuildLogged(chainlet=chainlet, line=line):
                if self._is_verbose:
                    self._line(f"  {chainlet} | {line}")
            case BuildFinished(chainlet=chainlet, seconds=seconds):
                self._end(chainlet)
                self._line(f"  built {chainlet} in {seconds:.1f} s")
            case OperationStarted(text=text):
                self._begin(text, text)
            case OperationFinished(text=text, seconds=seconds):
                self._end(text)
                self._line(f"  {text} ({seconds:.1f} s)")
            case EditApplied():
                self._applied(event)
            case EditRefused():
                self._refused(event)

    def _applied(self, edit: EditApplied) -> None:
        """One line a chainlet; those of which only lines moved are left out beside others."""
        steps = [step for step in edit.steps if step[2] != ONLY_LINES] or edit.steps[:1]
        what = f"edit {edit.generation}" if edit.generation else "pushed"
        if not steps:
            self._line("  what is saved is what serves")
        for chainlet, action, reason in steps:
            self._line(f"  {what}, {edit.seconds:.2f} s: {action} {chainlet}: {reason}")

    def _refused(self, edit: EditRefused) -> None:
        self._line(f"{self.palette.error}not served{self.palette.off}: {edit.message}")
        for line in edit.details:
            self._line(f"  {line}")

    def problems(self, problems: tuple[Problem, ...]) -> None:
        """Print problems as a compiler would."""
        if problems:
            self._line(diagnostics_text(problems, Path.cwd(), self.palette))

    def failure(self, error: ChainctlError) -> None:
        """Print an error: what, the evidence, what to do next."""
        self.stop()
        palette = self.palette
        if isinstance(error, ChainDefinitionError):
            self.problems(error.problems)
            self._line(f"\n{palette.error}error{palette.off}: {error.message}")
        else:
            self._line(f"{palette.error}error{palette.off}: {error.message}")
            for line in error.details:
                self._line(f"  {line}")
        if error.hint:
            self._line(f"{palette.strong}hint{palette.off}: {error.hint}")

    def line(self, text: str) -> None:
        """Print one line on stderr."""
        with self._lock:
            self._line(text)

    def stop(self) -> None:
        """End the live line."""
        with self._lock:
            self._active.clear()
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _begin(self, key: str, text: str) -> None:
        self._active[key] = text
        if is_live(sys.stderr):
            self._refresh()

    def _end(self, key: str) -> None:
        self._active.pop(key, None)
        if self._status is not None:
            self._refresh()

    def _refresh(self) -> None:
        from rich.console import Console as RichConsole
        from rich.markup import escape

        if not self._active and self._status is not None:
            self._status.stop()
            self._status = None
        elif self._active:
            text = escape("; ".join(self._active.values())[:200])
            if self._status is None:
                self._status = RichConsole(stderr=True).status(text)
                self._status.start()
            self._status.update(text)

    def _detail(self, text: str) -> None:
        """A line that a terminal shows live instead."""
        if self._is_verbose or not is_live(sys.stderr):
            self._line(text)

    def _line(self, text: str) -> None:
        if self._status is not None:
            self._status.stop()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
        if self._status is not None:
            self._status.start()


def has_color(stream: Any) -> bool:
    """Whether colours are wanted: on a terminal, unless NO_COLOR or a dumb terminal says otherwise."""
    wanted = not os.environ.get("NO_COLOR") and not os.environ.get("CHAINCTL_NO_COLOR")
    return bool(wanted and stream.isatty() and os.environ.get("TERM") != "dumb")


def is_live(stream: Any) -> bool:
    """Whether a line may be rewritten in place: on a terminal, and not in CI."""
    return bool(stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI"))


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
