"""`chainctl plan chain.py`: what a push would do."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import (
    ExplainOption,
    FileArgument,
    JsonOption,
    LockedOption,
    NameOption,
    SecretsOption,
    TargetOption,
)


def plan(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    secrets: SecretsOption = None,
    explain: ExplainOption = False,
    locked: LockedOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 when there is something to do.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a push would build and change, and why. Builds nothing, touches nothing."""
    from chainctl.cli.console import Console
    from chainctl.cli.drafting import draft_for
    from chainctl.cli.image_json import images_json
    from chainctl.cli.output import print_result
    from chainctl.deploy.plan import line_of, total_of
    from chainctl.errors import ExitCode
    from chainctl.workflows.plan import preview, preview_text

    draft, world = draft_for(
        file, Console(), target=target, name=name, secrets=secrets, is_locked=locked, is_plan=True
    )
    last = world.ledger.latest(draft.chain)
    shown = preview(draft, world.backend, world.target, last)
    value = {
        "chain": draft.chain,
        "target": world.name,
        "compared_with": last.number if last else None,
        "images": images_json(shown.images, "build"),
        "operations": [line_of(operation) for operation in shown.deploy.operations],
        "kept": [service for service, _ in shown.deploy.kept],
        "total": total_of(shown.deploy),
        "has_changes": shown.has_changes,
    }
    print_result(preview_text(shown, is_full=explain), value, as_json=as_json)
    if exit_code and shown.has_changes:
        raise typer.Exit(ExitCode.CHANGES)
