"""What was shown of a watched chain and what happened in; what is shown next, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chainctl.cli.output import in_one_line
from chainctl.events import (
    ONLY_LINES,
    BuildFinished,
    BuildStarted,
    BuildStepped,
    EditApplied,
    EditRefused,
    Event,
    Notice,
    OperationFinished,
    OperationStarted,
    PhaseStarted,
)
from chainctl.workflows.top import Load

MOST_LINES = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One chainlet: the last edit of it that is served, 0 where it runs as pushed, and what was done last."""

    chainlet: str
    generation: int = 0
    action: str = ""
    calls: float | None = None
    errors: float | None = None


@dataclass(frozen=True, slots=True)
class WatchView:
    """One moment of the screen. `doing` is what is under way, `refused` what is wrong with the last edit."""

    chain: str
    target: str
    url: str = ""
    generation: int = 0
    doing: str = ""
    rows: tuple[Row, ...] = ()
    refused: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def serving(self, chain: str, target: str, chainlets: Iterable[str], url: str) -> WatchView:
        """Return the view of a chain that serves these chainlets; what is known of them is kept."""
        known = {row.chainlet: row for row in self.rows}
        rows = tuple(known.get(name, Row(name)) for name in chainlets)
        return replace(self, chain=chain, target=target, rows=rows, url=url, refused=(), doing="")

    def after(self, event: Event) -> WatchView:
        """Return the view after an event; most events of a push are only what is under way."""
        match event:
            case EditApplied():
                return self._applied(event)
            case EditRefused(message=message, details=details):
                told = tuple(in_one_line(line) for text in (message, *details) for line in text.split("\n"))
                return replace(self, refused=told, doing="")
            case Notice(text=text):
                return self.noted(text)
            case PhaseStarted(title=title):
                return replace(self, doing=title)
            case BuildStarted(chainlet=chainlet):
                return replace(self, doing=f"building {chainlet}")
            case BuildStepped(chainlet=chainlet, step=step):
                return replace(self, doing=f"{chainlet}: {step}")
            case BuildFinished(chainlet=chainlet, seconds=seconds):
                return replace(self, doing="").noted(f"built {chainlet} in {seconds:.1f} s")
            case OperationStarted(text=text):
                return replace(self, doing=text)
            case OperationFinished(text=text, seconds=seconds):
                return replace(self, doing="").noted(f"{text} ({seconds:.1f} s)")
            case _:
                return self

    def loaded(self, load: Load) -> WatchView:
        """Return the view with the rates of a chain; those of replicas are added up."""
        calls, errors = dict[str, float](), dict[str, float]()
        for one in load.services:
            calls[one.chainlet] = calls.get(one.chainlet, 0.0) + one.rates.calls
            errors[one.chainlet] = errors.get(one.chainlet, 0.0) + one.rates.errors
        rows = (replace(r, calls=calls.get(r.chainlet), errors=errors.get(r.chainlet)) for r in self.rows)
        return replace(self, rows=tuple(rows))

    def noted(self, text: str) -> WatchView:
        """Return the view with more lines below; the oldest are dropped."""
        more = tuple(in_one_line(line) for line in text.rstrip("\n").split("\n"))
        return replace(self, lines=(*self.lines, *more)[-MOST_LINES:])

    def _applied(self, edit: EditApplied) -> WatchView:
        """A push is of all chainlets: none of them runs other code than its image has any more."""
        done = {name: (action, reason) for name, action, reason in edit.steps}
        whole = edit.generation == 0 and any(action == "push" for action, _ in done.values())
        rows = []
        for row in self.rows:
            action, reason = done.get(row.chainlet, ("", ""))
            told = f"{action} in {edit.seconds:.2f} s: {reason}" if action else row.action
            if action and reason == ONLY_LINES and len(done) > 1 and row.action:
                told = row.action
            is_as_built = whole or action in ("restart", "rebuild")
            generation = 0 if is_as_built else edit.generation if action else row.generation
            rows.append(replace(row, generation=generation, action=told))
        return replace(self, generation=edit.generation, rows=tuple(rows), refused=(), doing="")
