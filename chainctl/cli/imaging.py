"""A chain file and options in; the images that it needs, and nothing else of a release, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.build.plan import BuildPlan
from chainctl.cli.console import Console
from chainctl.cli.loading import load_graph
from chainctl.cli.locking import Locker
from chainctl.cli.settings import Settings
from chainctl.cli.wiring import draft_settings, settings_for
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.draft import chain_name, draft_images, unlocked


@dataclass(frozen=True, slots=True)
class ChainWanted:
    """A chain that is loaded, by its name, and the settings that hold for it. `given` is the name asked for."""

    graph: ChainGraph
    chain: str
    settings: Settings
    given: str | None


def chain_for(file: str, console: Console, *, target: str | None, name: str | None) -> ChainWanted:
    """Load and check a chain file. Raises ChainDefinitionError."""
    graph = load_graph(file)
    console.problems(graph.warnings)
    return ChainWanted(graph, chain_name(graph, name), settings_for(Path(graph.path), target=target), name)


def images_of(wanted: ChainWanted, console: Console, *, where: str, is_locked: bool | None) -> BuildPlan:
    """Decide what to build on the target `where`; no secret is needed. Raises LockError."""
    wish = draft_settings(wanted.settings, wanted.given)
    locker = Locker(wanted.settings, wish.build, console, is_locked=is_locked)
    return draft_images(wanted.graph, wish, take_snapshot, unlocked if where == "local" else locker)
