"""A chain file and options in; the draft of its release and the world to ship it to, out."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.files import take_snapshot
from chainctl.cli.console import Console
from chainctl.cli.loading import load_graph
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.wiring import World, draft_settings, open_world, settings_for
from chainctl.workflows.draft import Draft, draft_release


def draft_for(
    file: str, console: Console, *, target: str | None, name: str | None, secrets: Path | None
) -> tuple[Draft, World]:
    """Load, check and decide. Raises ChainDefinitionError, MissingSecretError, EngineError."""
    graph = load_graph(file)
    console.problems(graph.warnings)
    settings = settings_for(Path(graph.path), target=target, secrets_file=secrets)
    world = open_world(settings, console.line)
    if world.name == "local":
        require_installed(graph)
    draft = draft_release(graph, draft_settings(settings, name), take_snapshot, world.vault)
    return draft, world
