"""`chainctl init [DIR]`: a chain to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import JsonOption


def complete_templates(incomplete: str) -> list[str]:
    """Complete names of templates."""
    from chainctl.workflows.init_templates import TEMPLATES

    return [name for name in TEMPLATES if name.startswith(incomplete)]


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write; made if need be.")
    ] = Path(),
    template: Annotated[
        str, typer.Option("--template", "-t", help="What to write.", autocompletion=complete_templates)
    ] = "hello",
    show_list: Annotated[bool, typer.Option("--list", help="List the templates and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write an example chain with a test and a CI workflow; overwrites nothing."""
    from chainctl.cli.scaffold import print_project, print_templates
    from chainctl.workflows.init import init_project

    if show_list:
        print_templates(as_json=as_json)
    else:
        print_project(init_project(template, directory), as_json=as_json)
