"""`chainctl render chain.py -o DIR`: the build contexts, written out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import FileArgument, JsonOption, LockedOption, NameOption, SecretsOption


def render(
    file: FileArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")],
    name: NameOption = None,
    secrets: SecretsOption = None,
    locked: LockedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the build context of every image; asks an engine only for what the lock lacks."""
    from chainctl.adapters.files import take_snapshot
    from chainctl.build.plan import plan_build
    from chainctl.cli.console import Console
    from chainctl.cli.loading import load_graph
    from chainctl.cli.locking import Locker
    from chainctl.cli.output import print_result
    from chainctl.cli.wiring import draft_settings, settings_for
    from chainctl.workflows.draft import chain_name
    from chainctl.workflows.render import render_contexts

    graph = load_graph(file)
    chosen = settings_for(Path(graph.path), secrets_file=secrets)
    settings = draft_settings(chosen, name).build
    snapshot = take_snapshot(graph, settings)
    lock = Locker(chosen, settings, Console(), is_locked=locked)(graph, snapshot)
    images = plan_build(graph, chain_name(graph, name), snapshot, settings, lock)
    directories = render_contexts(images, output)
    written = {str(i.ref): str(d) for i, d in zip(images.images, directories, strict=True)}
    text = "\n".join(f"{directory}  {ref}" for ref, directory in written.items())
    print_result(text, {"contexts": written}, as_json=as_json)
