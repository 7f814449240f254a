"""`chainctl migrate chain.py`: import chainctl where a file imports truss_chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import JsonOption


def migrate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Python files.")],
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what would change, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let files import chainctl instead of truss_chains; nothing else in them changes."""
    from chainctl.cli.migrating import migrate_files
    from chainctl.cli.output import print_result

    migrated = migrate_files(files, is_dry=diff)
    print_result(
        migrated.diff if diff else migrated.text,
        {"changed": migrated.changed, "unchanged": migrated.unchanged, "diff": migrated.diff},
        as_json=as_json,
    )
