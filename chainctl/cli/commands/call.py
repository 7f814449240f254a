"""`chainctl call CHAIN '{…}'`: call a chain and print its answer."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import ChainArgument, TargetOption


def call(
    chain: ChainArgument,
    data: Annotated[
        str | None, typer.Argument(metavar="JSON|@FILE|-", help="Arguments as a JSON object; - is stdin.")
    ] = None,
    target: TargetOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for the answer.", min=0.001, max=604_800)
    ] = 600.0,
    insecure: Annotated[bool, typer.Option("--insecure", help="Accept any TLS certificate.")] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show on stderr where the time of the call went.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer exactly as it came.")] = False,
) -> None:
    """Call a chain with a JSON object of arguments; prints the answer on stdout."""
    from chainctl.cli.calling import call_chain

    call_chain(
        chain, data, target=target, timeout_sec=timeout, insecure=insecure, with_trace=trace, as_json=as_json
    )
