"""`chainctl intercept CHAIN/CHAINLET`: answer a chainlet's calls with a process of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import SecretsOption, TargetOption, complete_chains


def intercept(
    which: Annotated[
        str,
        typer.Argument(
            metavar="CHAIN/CHAINLET",
            help="Chainlet of a running chain.",
            autocompletion=complete_chains,
        ),
    ],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Chain file; by default the one that was pushed.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Let a debugger attach to the process, with debugpy.")
    ] = False,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Run it in an environment that has what the lock says.")
    ] = False,
    target: TargetOption = None,
    secrets: SecretsOption = None,
) -> None:
    """Lead a chainlet's calls to a process on this machine until interrupted; then they go back."""
    from chainctl.cli.console import Console
    from chainctl.cli.intercepting import intercept_chainlet

    intercept_chainlet(
        which, file, Console(), target=target, secrets=secrets, is_debugged=debug, is_isolated=isolated
    )
