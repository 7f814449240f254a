"""A chain file and options in; the images that it needs, and nothing else of a release, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.build.plan import BuildPlan
from chainctl.cli.console import Console
from chainctl.cli.loading import load_graph
from chainctl.cli.settings import Settings
from chainctl.cli.wiring import draft_settings, settings_for
from chainctl.workflows.draft import chain_name, draft_images


@dataclass(frozen=True, slots=True)
class ImagesWanted:
    """The images of a chain by its name, and the settings that hold for it."""

    chain: str
    settings: Settings
    images: BuildPlan


def images_for(file: str, console: Console, *, target: str | None, name: str | None) -> ImagesWanted:
    """Load, check and decide what to build; no secret and no engine is needed. Raises ChainDefinitionError."""
    graph = load_graph(file)
    console.problems(graph.warnings)
    settings = settings_for(Path(graph.path), target=target)
    images = draft_images(graph, draft_settings(settings, name), take_snapshot)
    return ImagesWanted(chain_name(graph, name), settings, images)
