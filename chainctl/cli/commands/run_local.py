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
        str | None,
        typer.Option(
            "--fidelity",
            metavar="inline|codec|process|isolated",
            help="Objects in one process; the same through the wire format; one process a chainlet; each"
            " with an environment of its own.",
        ),
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace",
            metavar="CHAINLET=URL|FILE.py:CLASS",
            help="Put another chain, or a class, in the place of a chainlet; can be repeated.",
        ),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Serve; after an edit, serve what the files say then.")
    ] = False,
    debug: Annotated[
        list[str] | None,
        typer.Option("--debug", metavar="CHAINLET", help="Run a chainlet under debugpy; can be repeated."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --debug, start when a debugger has attached.")
    ] = True,
    port: Annotated[int, typer.Option("--port", help="Port to serve on.", min=1, max=65535)] = 8100,
    secrets: SecretsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer exactly as it came.")] = False,
) -> None:
    """Run a chain once and print the result; without --input, serve it until interrupted."""
    from chainctl.cli.calling import request_body
    from chainctl.cli.replacing import replacements_of
    from chainctl.cli.run_wish import RunWish
    from chainctl.cli.running import run_chain

    wish = RunWish(
        file,
        fidelity or ("process" if debug else "inline"),
        body=None if input is None else request_body(input),
        port=port,
        secrets=secrets,
        replacements=replacements_of(replace or ()),
        reloads=reload,
        debugged=tuple(debug or ()),
        waits=wait,
    )
    run_chain(wish, as_json=as_json)
