"""`chainctl down CHAIN`: take a chain away."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import ChainArgument, JsonOption, QuietOption, TargetOption


def down(
    chain: ChainArgument,
    target: TargetOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Forget components also when their `cleanup` fails.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove a chain: its components, its address, its services, its network. Images are kept."""
    from chainctl.cli.applying import remove_components
    from chainctl.cli.console import Console, now
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import world_of
    from chainctl.deploy.plan import line_of
    from chainctl.workflows.down import down as take_down

    console = Console(is_quiet=quiet)
    world = world_of(chain, settings_for(target=target), console.line)
    settings = world.settings

    def clean_up() -> None:
        remove_components(chain, world, settings, console, force=force)

    plan = take_down(chain, world.target, world.ledger, console.emit, now, clean_up)
    console.stop()
    value = {"chain": chain, "operations": [line_of(operation) for operation in plan.operations]}
    print_result(
        f"{chain} is down" if as_json or plan.operations else f"{chain} was not up", value, as_json=as_json
    )
