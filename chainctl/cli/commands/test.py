"""`chainctl test chain.py`: run a chain's tests against the images that would be pushed."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import (
    FileArgument,
    LockedOption,
    QuietOption,
    SecretsOption,
    TargetOption,
    VerboseOption,
)


def test(
    file: FileArgument,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- PYTEST ARGUMENTS]", help="What pytest is given.")
    ] = None,
    target: TargetOption = None,
    secrets: SecretsOption = None,
    locked: LockedOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Bring a chain up as a push would, under another name, run its tests against it, and take it down."""
    from chainctl.cli.console import Console
    from chainctl.cli.testing_run import run_tests

    console = Console(is_quiet=quiet, is_verbose=verbose)
    code = run_tests(file, arguments or [], console, target=target, secrets=secrets, is_locked=locked)
    if code:
        raise typer.Exit(code)
