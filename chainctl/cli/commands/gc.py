"""`chainctl gc`: remove the images that nothing uses any more."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, TargetOption, complete_chains


def gc(
    chain: Annotated[
        str | None, typer.Argument(help="Only this chain.", autocompletion=complete_chains)
    ] = None,
    keep: Annotated[int, typer.Option("--keep", min=0, help="Last releases of each chain to keep.")] = 3,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it; without it, only say what would go.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, also with --yes.")
    ] = False,
    target: TargetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove images that neither run nor are used by the last releases, and what builds left behind."""
    from chainctl.cli.collecting import collected_targets, gc_json, gc_text
    from chainctl.cli.console import Console
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.workflows.gc import GcSettings

    console = Console(is_quiet=quiet)
    is_done = yes and not dry_run
    done = collected_targets(settings_for(target=target), GcSettings(keep, chain), console, is_done=is_done)
    console.stop()
    if not is_done and any(not one.plan.is_empty for one in done):
        console.line("Nothing was removed. `--yes` removes it.")
    print_result(gc_text(done), {"targets": gc_json(done)}, as_json=as_json)
