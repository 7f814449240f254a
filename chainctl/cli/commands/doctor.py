"""`chainctl doctor`: what is wrong on this machine, and the command that mends it."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, TargetOption


def doctor(
    target: TargetOption = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="List all settings with who decided them, and check nothing.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds that the engine may take to answer.", min=0.1)
    ] = 1.2,
    as_json: JsonOption = False,
) -> None:
    """Check settings, secrets, engine, builder, disk, GPU, images, ports and leftovers; changes nothing."""
    from chainctl.cli.diagnosis_print import print_diagnosis, print_settings

    if show_settings:
        print_settings(target, as_json=as_json)
    else:
        raise typer.Exit(print_diagnosis(target, timeout, as_json=as_json))
