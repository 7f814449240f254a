"""`chainctl run-local chain.py`: run a chain on this machine without containers."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import FileArgument, SecretsOption


def run_local(
    file: FileArgument,
    input: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="Run once with these arguments."),
    ] = None,
    fidelity: Annotated[
        str,
        typer.Option(
            "--fidelity",
            metavar="inline|codec|process",
            help="Objects in one process; the same through the wire format; one process a chainlet.",
        ),
    ] = "inline",
    port: Annotated[int, typer.Option("--port", help="Port to serve on.", min=1, max=65535)] = 8100,
    secrets: SecretsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer exactly as it came.")] = False,
) -> None:
    """Run a chain once and print the result; without --input, serve it until interrupted."""
    from chainctl.cli.running import run_chain

    run_chain(file, input, fidelity, port=port, secrets=secrets, as_json=as_json)
