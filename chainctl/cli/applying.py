"""A draft and a world in; what a push does with the components of its file, out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.cli.console import Console, now
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import downloads, origin_of, state_dir
from chainctl.cli.worlds import World
from chainctl.errors import CleanupError, JobsFailedError, StateError

if TYPE_CHECKING:
    from chainctl.adapters.component_jobs import ChainJobs
    from chainctl.state.db import Db, Deploy
    from chainctl.state.ledger import Record
    from chainctl.state.values import Change
    from chainctl.workflows.components import Components
    from chainctl.workflows.draft import Draft
    from chainctl.workflows.redeploy import Redeployed


def components_of(
    draft: Draft, world: World, settings: Settings, console: Console, *, prune: bool = False
) -> Components | None:
    """Return the components of a file, None where it has none and none were applied with its chain.

    Without any nothing is imported for them.
    """
    if not draft.graph.component_text and not world.ledger.has_components(draft.chain):
        return None
    from chainctl.state.values import Author
    from chainctl.workflows.components import Components

    file = Path(draft.graph.path)
    origin = origin_of(file)
    jobs = _jobs(world, settings, console, file.parent)
    author = Author(origin.user, socket.gethostname(), origin.source, origin.revision)
    return Components(
        open_components(settings, world.name, draft.chain),
        draft.graph.components(),
        jobs,
        author,
        console.emit,
        now,
        prune,
    )


def remove_components(
    chain: str, world: World, settings: Settings, console: Console, *, force: bool = False
) -> None:
    """Clean up and forget the components that were applied with a chain. Raises JobsFailedError."""
    if not world.ledger.has_components(chain):
        return
    jobs = _jobs(world, settings, console, Path.cwd())
    jobs.know({"identifier": chain, "target": world.name}, "")
    with open_components(settings, world.name, chain) as db:
        try:
            removed = db.remove_keys(db.owned_by(chain), jobs, force=force)
        except CleanupError as error:
            raise JobsFailedError(
                f"{error.message}; nothing of the chain was touched",
                hint=f"correct it and run this again, or forget it as it is: `chainctl down {chain} --force`.",
                details=error.details,
            ) from error
        finally:
            jobs.close()
    console.line(f"Removed {', '.join(map(str, removed))}.")


def restore_components(
    record: Record, done: Redeployed, world: World, settings: Settings, console: Console
) -> None:
    """Apply again, as new revisions, the components that were applied with a release that serves again."""
    if not record.components:
        return
    from chainctl.workflows.components import require_done

    jobs = _jobs(world, settings, console, Path(record.source).parent)
    chain = {"identifier": done.chain, "target": world.name, "release": done.number, "url": done.url}
    jobs.know(chain, record.release.entrypoint)
    with open_components(settings, world.name, done.chain) as db:
        try:
            nodes = db.differing(record.components)
            result = db.apply_nodes(nodes, jobs, owner=done.chain)
        except StateError as error:
            raise StateError(
                f"release {done.number} serves, but its components were not applied again: {error.message}",
                hint=error.hint,
                details=error.details,
            ) from error
        finally:
            jobs.close()
    if nodes:
        console.line(f"Applied again: {', '.join(str(node.key) for node in nodes)}.")
    require_done(result, f"release {done.number} serves")


def _jobs(world: World, settings: Settings, console: Console, directory: Path) -> ChainJobs:
    from chainctl.adapters.component_jobs import ChainJobs

    return ChainJobs(
        target=world.target,
        data=downloads(state_dir(settings), world.vault),
        directory=directory,
        environ=os.environ,
        output=console.line,
        secret_of=world.vault.value_of,
    )


def changes_of(
    draft: Draft, world: World, settings: Settings, console: Console
) -> tuple[tuple[Change, ...], tuple[tuple[str, str], ...]]:
    """Say what a push would do with the components of a file, and what a plan file says of them. Writes nothing."""
    components = components_of(draft, world, settings, console)
    if components is None:
        return (), ()
    try:
        return components.plan(draft.release), components.planned(draft.release)
    finally:
        components.close()


def open_components(settings: Settings, target: str, chain: str) -> Db:
    """Open the state of the components that a push of a chain applies. Raises StateError."""
    from chainctl.state.ledger import component_namespace

    return open_db(settings, component_namespace(target, chain))


def open_db(settings: Settings, namespace: str, deploy: Deploy | None = None) -> Db:
    """Open the state of components; `deploy` pushes chains that are applied. Raises StateError."""
    from chainctl.state.artifacts import artifacts_at
    from chainctl.state.database import Database
    from chainctl.state.db import Db
    from chainctl.state.ledger import default_database

    state = state_dir(settings)
    database = Database.open(settings.database or default_database(state))
    artifacts = artifacts_at(settings.artifacts or str(state / "artifacts"))
    return Db(database, artifacts, namespace, deploy=deploy)
