"""`chainctl push chain.py`: bring a chain up and print its URL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import (
    FileArgument,
    JsonOption,
    KeepWarmOption,
    LockedOption,
    NameOption,
    PlatformOption,
    QuietOption,
    RegistryOption,
    SecretsOption,
    TargetOption,
    VerboseOption,
)


def push(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    secrets: SecretsOption = None,
    platform: PlatformOption = None,
    registry: RegistryOption = None,
    locked: LockedOption = None,
    keep_warm: KeepWarmOption = None,
    canary: Annotated[
        str | None,
        typer.Option(
            "--canary", metavar="PERCENT", help="Try it with a part of the traffic first, such as 10%."
        ),
    ] = None,
    canary_for: Annotated[
        str | None,
        typer.Option(
            "--canary-for",
            metavar="TIME",
            help="How long it is tried, such as 90s or 5m; 60s when not given.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", metavar="PLAN", exists=True, dir_okay=False, help="Do only what this plan file says."
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove components that the file no longer has.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Build, start and route a chain; prints its URL. Pushing again continues where a push ended."""
    from chainctl.cli.console import Console
    from chainctl.cli.output import print_result
    from chainctl.cli.pushing import push_file
    from chainctl.cli.rollout_arguments import canary_of

    console = Console(is_quiet=quiet, is_verbose=verbose)
    trial = canary_of(canary, canary_for)
    done = push_file(
        file,
        console,
        target=target,
        name=name,
        secrets=secrets,
        platform=platform,
        registry=registry,
        is_locked=locked,
        keep_warm=keep_warm,
        canary=trial,
        plan=plan,
        prune=prune,
    )
    console.stop()
    if not quiet:
        console.line(
            f"Release {done.number} of {done.chain} serves. Call it: chainctl call {done.chain} '{{…}}'"
        )
    value = {
        "chain": done.chain,
        "url": done.url,
        "release": done.number,
        "built": list(done.built),
        "images": dict(done.images),
        "changed": not done.plan.is_empty,
    }
    print_result(done.url, value, as_json=as_json)
