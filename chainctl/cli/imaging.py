"""A loaded chain and options in; the settings that hold for it, and the images that it needs, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.build.lock import Lock
from chainctl.build.plan import BuildPlan
from chainctl.cli.console import Console
from chainctl.cli.locking import Locker
from chainctl.cli.settings import Settings
from chainctl.cli.wiring import World, draft_settings, settings_for
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.draft import chain_name, draft_images, unlocked


@dataclass(frozen=True, slots=True)
class LoadedChain:
    """A chain that was checked, by its name, and the settings that hold for it."""

    chain: str
    graph: ChainGraph
    settings: Settings
    name: str | None


def loaded_chain(
    graph: ChainGraph,
    console: Console,
    *,
    target: str | None,
    name: str | None,
    secrets: Path | None = None,
    platform: str | None = None,
    registry: str | None = None,
) -> LoadedChain:
    """Print the warnings of a chain, and find its name and its settings. Raises UsageError."""
    console.problems(graph.warnings)
    settings = settings_for(
        Path(graph.path), target=target, secrets_file=secrets, platform=platform, registry=registry
    )
    return LoadedChain(chain_name(graph, name), graph, settings, name)


def images_of(
    loaded: LoadedChain, console: Console, where: str, world: World | None, *, is_locked: bool | None
) -> tuple[Lock | None, BuildPlan]:
    """Decide what to build for a target, and say from which lock; no secret of the chain is needed.

    Without a `world` the engine is not asked. Raises LockError.
    """
    settings, wish = loaded.settings, draft_settings(loaded.settings, loaded.name, world)
    locked = unlocked if where == "local" else Locker(settings, wish.build, console, is_locked=is_locked)
    return draft_images(loaded.graph, wish, take_snapshot, locked)
