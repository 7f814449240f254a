"""`chainctl run chain.py`: run a file's `__main__` block as Python does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to run.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="What the program finds in `sys.argv`.")
    ] = None,
) -> None:
    """Run a file as a program, as Python does; it may import truss_chains, which need not be installed."""
    from chainctl.cli.running_program import run_program

    run_program(file, arguments or [])
