"""`chainctl build chain.py`: the images of a chain, without a release."""

from __future__ import annotations

from chainctl.cli.options import (
    ExplainOption,
    FileArgument,
    JsonOption,
    LockedOption,
    NameOption,
    QuietOption,
    TargetOption,
    VerboseOption,
)


def build(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    explain: ExplainOption = False,
    locked: LockedOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Build the images of a chain that are missing, and say why. Nothing is started or routed."""
    from pathlib import Path

    from chainctl.adapters.files import take_snapshot
    from chainctl.cli.console import Console, now
    from chainctl.cli.image_json import images_json
    from chainctl.cli.loading import load_graph
    from chainctl.cli.locking import Locker
    from chainctl.cli.output import print_result
    from chainctl.cli.wiring import draft_settings, open_world, settings_for
    from chainctl.workflows.build import build as build_images
    from chainctl.workflows.draft import chain_name, draft_images, unlocked
    from chainctl.workflows.reasons import image_lines

    console = Console(is_quiet=quiet, is_verbose=verbose)
    graph = load_graph(file)
    console.problems(graph.warnings)
    settings = settings_for(Path(graph.path), target=target)
    chain = chain_name(graph, name)
    world = open_world(settings, console.line, chain)
    wish = draft_settings(settings, name)
    locker = unlocked if world.name == "local" else Locker(settings, wish.build, console, is_locked=locked)
    _, plan = draft_images(graph, wish, take_snapshot, locker)
    last = world.ledger.latest(chain)
    try:
        done = build_images(plan, world.backend, last, console.emit, now)
    finally:
        console.stop()
    value = {
        "chain": chain,
        "target": world.name,
        "compared_with": last.number if last else None,
        "images": images_json(done, "built"),
    }
    print_result("\n".join(image_lines(done, "built", is_full=explain)), value, as_json=as_json)
