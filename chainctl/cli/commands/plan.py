"""`chainctl plan chain.py`: what a push would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainctl.cli.options import (
    ExplainOption,
    FileArgument,
    JsonOption,
    KeepWarmOption,
    LockedOption,
    NameOption,
    PlatformOption,
    SecretsOption,
    TargetOption,
)

if TYPE_CHECKING:
    from chainctl.cli.planning import Shown


def plan(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    secrets: SecretsOption = None,
    platform: PlatformOption = None,
    explain: ExplainOption = False,
    locked: LockedOption = None,
    keep_warm: KeepWarmOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no engine: only compare images with the last release.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 when there is something to do.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PLAN", dir_okay=False, help="Write the plan there, for push --plan."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a push would build and change, and why. Builds nothing, changes nothing that runs."""
    from chainctl.cli.output import print_result
    from chainctl.errors import ExitCode

    shown = _shown(
        file,
        target,
        name,
        secrets,
        platform,
        explain=explain,
        offline=offline,
        locked=locked,
        keep_warm=keep_warm,
        out=out,
    )
    print_result(shown.text, shown.value, as_json=as_json)
    if exit_code and shown.has_changes:
        raise typer.Exit(ExitCode.CHANGES)


def _shown(
    file: str,
    target: str | None,
    name: str | None,
    secrets: Path | None,
    platform: str | None,
    *,
    explain: bool,
    offline: bool,
    locked: bool | None,
    keep_warm: int | None,
    out: Path | None,
) -> Shown:
    from chainctl.cli.applying import changes_of
    from chainctl.cli.console import Console
    from chainctl.cli.drafting import draft_of
    from chainctl.cli.imaging import loaded_chain
    from chainctl.cli.loading import load_graph
    from chainctl.cli.planning import plan_offline, plan_push
    from chainctl.errors import UsageError

    if offline and out is not None:
        raise UsageError(
            "--offline and --out exclude each other", hint="a plan file needs to know what runs."
        )
    console = Console()
    loaded = loaded_chain(
        load_graph(file), console, target=target, name=name, secrets=secrets, platform=platform
    )
    if offline:
        return plan_offline(loaded, console, is_locked=locked, is_full=explain)
    draft, world = draft_of(loaded, console, is_locked=locked, is_plan=out is None)
    kept = world.settings.keep_warm if keep_warm is None else keep_warm
    changes, held = changes_of(draft, world, world.settings, console)
    return plan_push(draft, world, is_full=explain, keep_warm=kept, out=out, components=changes, held=held)
