"""`chainctl logs CHAIN`: what its chainlets wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import ChainArgument, JsonOption, TargetOption


def logs(
    chain: ChainArgument,
    chainlet: Annotated[
        list[str] | None, typer.Option("--chainlet", "-c", help="Only this one; repeatable.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DURATION", help="Such as 90s, 10m, 4h, 2d.")
    ] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines.")] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of all chainlets, interleaved by time."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.log_lines import print_lines, require_chainlets, seconds_of
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import world_of

    world = world_of(chain, settings_for(target=target), Console().line)
    require_chainlets(chainlet or (), world.target.observe(chain))
    started = now() - seconds_of(since) if since else None
    lines = world.logs.logs(chain, chainlets=chainlet or (), since=started, tail=tail, follow=follow)
    print_lines(lines, as_json=as_json)
