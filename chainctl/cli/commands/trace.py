"""`chainctl trace CHAIN [ID]`: where the time of a call went."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chainctl.cli.options import ChainArgument, JsonOption, TargetOption


def trace(
    chain: ChainArgument,
    trace_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="A trace, by its id or its request's, or how one of them begins."),
    ] = None,
    count: Annotated[int, typer.Option("--tail", "-n", min=1, help="How many traces to list.")] = 20,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the last traces of a chain, or show one: each call with its parts, and the critical path."""
    from chainctl.cli.console import Console, has_color
    from chainctl.cli.diagnostics import PLAIN, Palette
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.tracing import trace_json, traces_json, traces_text
    from chainctl.cli.waterfall import waterfall_text
    from chainctl.cli.wiring import world_of
    from chainctl.workflows.trace import gather, last_traces, wanted_trace

    console = Console()
    seen = world_of(chain, settings_for(target=target), console.line).target
    told = wanted_trace(seen, chain, trace_id) if trace_id else gather(seen, chain)
    for why in told.silent:
        console.line(f"not in the trace: {why}")
    if trace_id:
        palette = Palette.colored() if has_color(sys.stdout) else PLAIN
        print_result(waterfall_text(told.spans, palette), trace_json(told), as_json=as_json)
        return
    traces = last_traces(told.spans, count)
    print_result(traces_text(traces), {"chain": chain, "traces": traces_json(traces)}, as_json=as_json)
