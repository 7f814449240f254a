"""A loaded chain and options in; the settings that hold for it, and the images that it needs, out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.build.lock import Lock
from chainctl.build.plan import BuildPlan
from chainctl.cli.console import Console
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.locking import Locker
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import settings_for
from chainctl.cli.worlds import World
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.draft import chain_name, draft_images, unlocked


@dataclass(frozen=True, slots=True)
class LoadedChain:
    """A chain that was checked, by its name, and the settings that hold for it.

    `ships_as` is the chain whose images, variables and target it has: another one for a trial.
    """

    chain: str
    graph: ChainGraph
    settings: Settings
    name: str | None
    ships_as: str


def loaded_chain(
    graph: ChainGraph,
    console: Console,
    *,
    target: str | None,
    name: str | None,
    secrets: Path | None = None,
    platform: str | None = None,
    registry: str | None = None,
    trial: str | None = None,
) -> LoadedChain:
    """Print the warnings of a chain, and find its name and its settings. Raises UsageError.

    `trial` is the name that it has for a while, beside the chain that it is a trial of.
    """
    console.problems(graph.warnings)
    settings = settings_for(
        Path(graph.path), target=target, secrets_file=secrets, platform=platform, registry=registry
    )
    own = chain_name(graph, name)
    if trial is None:
        return LoadedChain(own, graph, settings, name, own)
    return LoadedChain(trial, graph, _beside(settings), trial, own)


def _beside(settings: Settings) -> Settings:
    """A trial has a door of its own, on another port, and no certificate: so what had one is reached from here only.

    Nothing is published for it.
    """
    bind = "127.0.0.1" if settings.tls_secret else settings.bind
    return settings.model_copy(update={"port": None, "tls_secret": None, "bind": bind, "registry": None})


def images_of(
    loaded: LoadedChain, console: Console, kind: str, world: World | None, *, is_locked: bool | None
) -> tuple[Lock | None, BuildPlan]:
    """Decide what to build for a kind of target, and say from which lock; no secret of the chain is needed.

    Without a `world` the engine is not asked. Raises LockError.
    """
    settings = world.settings if world else loaded.settings
    wish = draft_settings(settings, loaded.name, world)
    wish = replace(wish, images=loaded.ships_as)
    locked = unlocked if kind == "local" else Locker(settings, wish.build, console, is_locked=is_locked)
    return draft_images(loaded.graph, wish, take_snapshot, locked)
