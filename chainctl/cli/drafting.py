"""A loaded chain in; the draft of its release and the world to ship it to, out."""

from __future__ import annotations

from dataclasses import replace

from chainctl.adapters.files import take_snapshot
from chainctl.adapters.vault import Vault
from chainctl.cli.console import Console
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.imaging import LoadedChain
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.locking import Locker
from chainctl.cli.surroundings import secret_sources
from chainctl.cli.variables import with_variables
from chainctl.cli.wiring import open_world
from chainctl.cli.worlds import World
from chainctl.deploy.generations import carried_over
from chainctl.workflows.draft import Draft, draft_release, unlocked
from chainctl.workflows.rollout import released


def draft_of(
    loaded: LoadedChain, console: Console, *, is_locked: bool | None, is_plan: bool = False
) -> tuple[Draft, World]:
    """Decide what to ship and where; what was restarted keeps its names.

    With `is_plan` nothing but the lock is written, no token either.

    Raises ChainDefinitionError, LockError, MissingSecretError, EngineError.
    """
    graph, settings = loaded.graph, loaded.settings
    world = open_world(settings, console.line, loaded.ships_as)
    settings = world.settings
    if world.kind == "local":
        require_installed(graph)
    vault = Vault(secret_sources(settings), world.ledger.planned_token) if is_plan else world.vault
    wish = draft_settings(settings, loaded.name, world)
    wish = replace(wish, images=loaded.ships_as, deploy=with_variables(wish.deploy, loaded, world.name))
    locked = unlocked if world.kind == "local" else Locker(settings, wish.build, console, is_locked=is_locked)
    draft = draft_release(graph, wish, take_snapshot, vault, locked)
    last = released(world.ledger.latest(draft.chain))
    return replace(draft, release=carried_over(draft.release, last)), world
