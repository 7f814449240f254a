"""A chain file and options in; the draft of its release and the world to ship it to, out."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.adapters.vault import Vault
from chainctl.cli.console import Console
from chainctl.cli.loading import load_graph
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.locking import Locker
from chainctl.cli.wiring import World, draft_settings, open_world, secret_sources, settings_for
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.draft import Draft, chain_name, draft_release, unlocked


def draft_for(
    file: str,
    console: Console,
    *,
    target: str | None,
    name: str | None,
    secrets: Path | None,
    platform: str | None = None,
    registry: str | None = None,
    is_locked: bool | None = None,
    is_plan: bool = False,
) -> tuple[Draft, World]:
    """Load, check and decide; with `is_plan` nothing but the lock is written, no token either.

    Raises ChainDefinitionError, LockError, MissingSecretError, EngineError."""
    graph = load_graph(file)
    return draft_of(
        graph,
        console,
        target=target,
        name=name,
        secrets=secrets,
        platform=platform,
        registry=registry,
        is_locked=is_locked,
        is_plan=is_plan,
    )


def draft_of(
    graph: ChainGraph,
    console: Console,
    *,
    target: str | None,
    name: str | None,
    secrets: Path | None,
    platform: str | None = None,
    registry: str | None = None,
    is_locked: bool | None = None,
    is_plan: bool = False,
) -> tuple[Draft, World]:
    """Decide for a chain that is loaded: as `draft_for`."""
    console.problems(graph.warnings)
    settings = settings_for(
        Path(graph.path), target=target, secrets_file=secrets, platform=platform, registry=registry
    )
    world = open_world(settings, console.line, chain_name(graph, name))
    if world.name == "local":
        require_installed(graph)
    vault = Vault(secret_sources(settings), world.ledger.planned_token) if is_plan else world.vault
    wish = draft_settings(settings, name, world)
    locked = unlocked if world.name == "local" else Locker(settings, wish.build, console, is_locked=is_locked)
    draft = draft_release(graph, wish, take_snapshot, vault, locked)
    return draft, world
