"""`chainctl sbom CHAIN/CHAINLET`: what an image is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import NameOption, TargetOption


def sbom(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CHAIN/CHAINLET|FILE", help="A chainlet of the last release, or a chain file."
        ),
    ],
    chainlet: Annotated[
        str | None, typer.Option("--chainlet", "-c", help="Which one, when a chain file has several.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Write to a file, not to stdout.")
    ] = None,
    name: NameOption = None,
    target: TargetOption = None,
) -> None:
    """Print what an image is made of, as CycloneDX: packages, base image, system, code."""
    import os

    from chainctl.cli.console import Console
    from chainctl.cli.materials import made_at, material_of_file, material_of_release, materials_text

    console = Console()
    is_file = ".py" in subject or Path(subject).is_file()
    if is_file:
        found = material_of_file(subject, chainlet, console, target=target, name=name)
    else:
        found = material_of_release(subject, chainlet, console, target=target)
    text = materials_text(found, made_at(os.environ))
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        console.line(f"Wrote {output}.")
