"""`chainctl autoscale [CHAIN]...`: replicas that follow the load, as long as it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, SecretsOption, TargetOption, complete_chains


def autoscale(
    chain: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHAIN]...",
            help="Only these; without a name all chains of the target.",
            autocompletion=complete_chains,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, and end when what that began has ended.")
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", "-i", metavar="SECONDS", help="Time between two looks.", min=0.1, max=60),
    ] = 1.0,
    target: TargetOption = None,
    secrets: SecretsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start and stop replicas of chainlets with `max_replicas` as their calls ask for; until interrupted."""
    from chainctl.cli.console import Console
    from chainctl.cli.scaling import scale_chains, scale_once
    from chainctl.cli.surroundings import settings_for

    console = Console(is_quiet=quiet)
    settings = settings_for(target=target, secrets_file=secrets)
    if once:
        scale_once(chain or [], settings, console, as_json=as_json)
    else:
        scale_chains(chain or [], settings, console, interval, as_json=as_json)
