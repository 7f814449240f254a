"""A draft and a world in; what a push does with the components of its file, out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.cli.console import Console, now
from chainctl.cli.settings import Settings
from chainctl.cli.wiring import World, downloads, origin_of, state_dir

if TYPE_CHECKING:
    from chainctl.state.db import Db
    from chainctl.state.values import Change
    from chainctl.workflows.components import Components
    from chainctl.workflows.draft import Draft


def components_of(
    draft: Draft, world: World, settings: Settings, console: Console, *, prune: bool = False
) -> Components | None:
    """Return the components of a file, None where it has none and none were applied with its chain.

    Without any nothing is imported for them.
    """
    if not draft.graph.component_text and not world.ledger.has_components(draft.chain):
        return None
    from chainctl.adapters.component_jobs import ChainJobs
    from chainctl.state.values import Author
    from chainctl.workflows.components import Components

    file = Path(draft.graph.path)
    origin = origin_of(file)
    jobs = ChainJobs(
        target=world.target,
        data=downloads(state_dir(settings), world.vault),
        directory=file.parent,
        environ=os.environ,
        output=console.line,
        secret_of=world.vault.value_of,
    )
    author = Author(origin.user, socket.gethostname(), origin.source, origin.revision)
    return Components(
        open_db(settings, world.name), draft.graph.components(), jobs, author, console.emit, now, prune
    )


def changes_of(draft: Draft, world: World, settings: Settings, console: Console) -> tuple[Change, ...]:
    """Say what a push would do with the components of a file. Writes nothing."""
    components = components_of(draft, world, settings, console)
    if components is None:
        return ()
    try:
        return components.plan(draft.release)
    finally:
        components.close()


def open_db(settings: Settings, namespace: str) -> Db:
    """Open the state of components. Raises StateError."""
    from chainctl.state.artifacts import artifacts_at
    from chainctl.state.database import Database
    from chainctl.state.db import Db
    from chainctl.state.ledger import default_database

    state = state_dir(settings)
    database = Database.open(settings.database or default_database(state))
    return Db(database, artifacts_at(settings.artifacts or str(state / "artifacts")), namespace)
