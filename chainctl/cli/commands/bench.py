"""`chainctl bench CHAIN [JSON]`: how fast a chain is, what bounds it, what it would need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, TargetOption, complete_chains


def bench(
    chain: Annotated[
        str | None,
        typer.Argument(metavar="CHAIN", help="Name of a chain.", autocompletion=complete_chains),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[JSON|@FILE|-]", help="Arguments as a JSON object; stdin if left out."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Load this address; CHAIN may be left out.")
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", metavar="FILE", help="Arguments, one JSON object a line, used in turn."),
    ] = None,
    clients: Annotated[
        int | None,
        typer.Option(
            "--clients", "-c", min=1, max=4096, help="Requests at once; 8, with --rate 256 at most."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", "-r", min=0.001, max=100_000, help="Requests per second, however fast answers are."
        ),
    ] = None,
    arrivals: Annotated[
        str, typer.Option("--arrivals", metavar="poisson|constant", help="How requests come with --rate.")
    ] = "poisson",
    duration: Annotated[
        str | None, typer.Option("--duration", "-d", metavar="DURATION", help="Such as 10s, 5m; 10s.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", "-n", min=1, help="End after so many requests.")
    ] = None,
    warmup: Annotated[
        str, typer.Option("--warmup", metavar="DURATION", help="Load that is not measured, before.")
    ] = "2s",
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for an answer.", min=0.001, max=3600)
    ] = 60.0,
    assertions: Annotated[
        list[str] | None,
        typer.Option("--assert", metavar="EXPR", help="End with 1 unless it holds: p99<250ms; repeatable."),
    ] = None,
    target: TargetOption = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Accept any TLS certificate.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load a chain for a while; prints throughput, latencies, errors, where time went, what would help."""
    from chainctl.cli.bench_arguments import bodies_of, plan_of, without_chain
    from chainctl.cli.benching import bench_chain, subject_of
    from chainctl.errors import ExitCode
    from chainctl.workflows.bench.assertion import parse_assertion

    bounds = [parse_assertion(text) for text in assertions or ()]
    plan = plan_of(
        clients=clients,
        rate=rate,
        arrivals=arrivals,
        duration=duration,
        requests=requests,
        warmup=warmup,
        timeout_sec=timeout,
        is_insecure=insecure,
    )
    chain, data = without_chain(chain, data, url)
    plan = replace(plan, bodies=bodies_of(data, inputs))
    code = bench_chain(subject_of(chain, url, target), plan, bounds, is_quiet=quiet, as_json=as_json)
    if code is not ExitCode.OK:
        raise typer.Exit(code)
