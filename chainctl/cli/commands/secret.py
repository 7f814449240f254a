"""`chainctl secret set|list|rm`: values of secrets in the user's directory of secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, SecretsOption, TargetOption

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the secret, as chainlets declare it.")
]


def secret_set(
    name: NameArgument,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="Take the bytes of a file."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Save a value, read from stdin; one line break at its end is left off. It is never shown."""
    from chainctl.cli.console import Console
    from chainctl.cli.keeping import read_value, set_text
    from chainctl.cli.keeping import save_secret as save
    from chainctl.cli.output import print_result

    done = save(name, read_value(name, file))
    if not quiet:
        console = Console()
        for line in set_text(done):
            console.line(line)
    print_result("", {"name": name, "changed": done.is_changed}, as_json=as_json)


def secret_list(
    secrets: SecretsOption = None, target: TargetOption = None, as_json: JsonOption = False
) -> None:
    """List secrets: where each has its value, and which chainlets read it. Values are never shown."""
    from chainctl.cli.keeping import listed_secrets
    from chainctl.cli.output import print_result
    from chainctl.cli.secret_listing import secrets_json, secrets_text

    rows = listed_secrets(secrets_file=secrets, target=target)
    print_result(secrets_text(rows), {"secrets": secrets_json(rows)}, as_json=as_json)


def secret_rm(
    name: NameArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it also while chainlets of a release read it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a saved value. What runs keeps its copy until it is replaced."""
    from chainctl.cli.keeping import remove_secret
    from chainctl.cli.output import print_result

    is_removed = remove_secret(name, is_forced=force)
    text = f"{name} is removed" if is_removed else f"{name} was not saved here"
    print_result(text, {"name": name, "removed": is_removed}, as_json=as_json)
