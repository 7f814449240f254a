"""`chainctl top CHAIN`: what its chainlets do now."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import ChainArgument, JsonOption, TargetOption


def top(
    chain: ChainArgument,
    interval: Annotated[
        float,
        typer.Option(
            "--interval", "-i", metavar="SECONDS", help="Time between two looks.", min=0.1, max=3600
        ),
    ] = 2.0,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show calls per second, latencies and errors of each chainlet; on a terminal until interrupted."""
    import sys

    from chainctl.cli.console import Console, is_live
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.watching import print_load, watch
    from chainctl.cli.wiring import world_of
    from chainctl.deploy.scale import sleeping

    world = world_of(chain, settings_for(target=target), Console().line)
    seen = world.target

    def asleep() -> list[str]:
        record = world.ledger.latest(chain)
        found = sleeping(record.release, seen.observe(chain)) if record else ()
        return sorted(service.chainlet for service in found)

    if as_json or not is_live(sys.stdout):
        print_load(seen, chain, interval, asleep, as_json=as_json)
    else:
        watch(seen, chain, interval, asleep=asleep)
