"""A chain file and options in; the chain pushed, out: what the verb and the SDK's `push` share."""

from __future__ import annotations

from pathlib import Path

from chainctl.cli.console import Console, now
from chainctl.cli.drafting import draft_for
from chainctl.cli.wiring import origin_of
from chainctl.workflows.push import Pushed
from chainctl.workflows.push import push as push_draft


def push_file(
    file: str,
    console: Console,
    *,
    target: str | None = None,
    name: str | None = None,
    secrets: Path | None = None,
    is_locked: bool | None = None,
) -> Pushed:
    """Push a chain file. Raises every ChainctlError that a push can end with."""
    draft, world = draft_for(file, console, target=target, name=name, secrets=secrets, is_locked=is_locked)
    origin = origin_of(Path(draft.graph.path))
    try:
        return push_draft(draft, world.backend, world.target, world.ledger, origin, console.emit, now)
    except KeyboardInterrupt:
        console.stop()
        console.line("Interrupted. What serves goes on serving; the same push continues.")
        raise
    finally:
        console.stop()
