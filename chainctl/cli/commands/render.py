"""`chainctl render chain.py -o DIR`: the build contexts, or what another tool runs the chain with, written out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import FileArgument, JsonOption, LockedOption, NameOption, SecretsOption


def render(
    file: FileArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")],
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="kubernetes|compose|NAME", help="Write what runs the chain there."),
    ] = None,
    name: NameOption = None,
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry", metavar="HOST/PREFIX", help="Name the images as they are there, by digest."
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="Namespace of Kubernetes.")
    ] = None,
    ingress_host: Annotated[
        str | None,
        typer.Option("--ingress-host", metavar="HOST", help="Host of an Ingress that leads to the chain."),
    ] = None,
    secrets: SecretsOption = None,
    locked: LockedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the build context of every image, or manifests; asks an engine only for what the lock lacks."""
    from chainctl.errors import UsageError

    if target is None and (registry or namespace or ingress_host):
        raise UsageError(
            "build contexts name no registry and no cluster",
            hint="say what to write: `--target kubernetes` or `--target compose`.",
        )
    if target == "compose" and (namespace or ingress_host):
        raise UsageError(
            "Compose has no namespaces and no Ingress", hint="leave out `--namespace` and `--ingress-host`."
        )
    if target is None:
        _contexts(file, output, name, secrets, locked=locked, as_json=as_json)
        return
    given = {"namespace": namespace, "ingress_host": ingress_host}
    _release(file, output, name, secrets, target, registry, given, locked=locked, as_json=as_json)


def _contexts(
    file: str, output: Path, name: str | None, secrets: Path | None, *, locked: bool | None, as_json: bool
) -> None:
    from chainctl.adapters.files import take_snapshot
    from chainctl.build.plan import plan_build
    from chainctl.cli.console import Console
    from chainctl.cli.draft_settings import draft_settings
    from chainctl.cli.loading import load_graph
    from chainctl.cli.locking import Locker
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
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


def _release(
    file: str,
    output: Path,
    name: str | None,
    secrets: Path | None,
    target: str,
    registry: str | None,
    given: dict[str, str | None],
    *,
    locked: bool | None,
    as_json: bool,
) -> None:
    from chainctl.cli.console import Console
    from chainctl.cli.imaging import LoadedChain
    from chainctl.cli.loading import load_graph
    from chainctl.cli.output import print_result
    from chainctl.cli.rendering import rendered_release, settings_of_target
    from chainctl.cli.surroundings import settings_for
    from chainctl.workflows.draft import chain_name
    from chainctl.workflows.render_release import require_empty, write_tree

    console, graph = Console(), load_graph(file)
    require_empty(output)
    console.problems(graph.warnings)
    settings = settings_for(Path(graph.path), secrets_file=secrets, registry=registry, **given)
    chain = chain_name(graph, name)
    loaded = LoadedChain(chain, graph, settings_of_target(settings, target), name, chain)
    rendered = rendered_release(loaded, target, registry, console, is_locked=locked)
    written = [str(path) for path in write_tree(rendered, output)]
    for notice in rendered.notices:
        console.line(f"Note: {notice}.")
    for needed in rendered.needed:
        console.line(f"Needed: {needed.what}\n  {needed.command}")
    needs = [{"what": one.what, "command": one.command} for one in rendered.needed]
    value = {"target": target, "files": written, "needed": needs, "notices": list(rendered.notices)}
    print_result("\n".join(written), value, as_json=as_json)
