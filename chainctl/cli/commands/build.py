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
    from chainctl.cli.console import Console, now
    from chainctl.cli.image_json import images_json
    from chainctl.cli.imaging import chain_for, images_of
    from chainctl.cli.output import print_result
    from chainctl.cli.wiring import open_world
    from chainctl.workflows.build import build as build_images
    from chainctl.workflows.reasons import image_lines

    console = Console(is_quiet=quiet, is_verbose=verbose)
    wanted = chain_for(file, console, target=target, name=name)
    world = open_world(wanted.settings, console.line, wanted.chain)
    plan = images_of(wanted, console, where=world.name, is_locked=locked)
    last = world.ledger.latest(wanted.chain)
    try:
        done = build_images(plan, world.backend, last, console.emit, now)
    finally:
        console.stop()
    value = {
        "chain": wanted.chain,
        "target": world.name,
        "compared_with": last.number if last else None,
        "images": images_json(done, "built"),
    }
    print_result("\n".join(image_lines(done, "built", is_full=explain)), value, as_json=as_json)
