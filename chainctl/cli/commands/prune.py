"""`chainctl prune`: remove services and leftovers that no release needs."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, TargetOption, complete_chains


def prune(
    chain: Annotated[
        str | None, typer.Argument(help="Only this chain.", autocompletion=complete_chains)
    ] = None,
    warm: Annotated[bool, typer.Option("--warm", help="Also services that are kept warm.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it; without it, only say what would go.")
    ] = False,
    target: TargetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove stopped and failed services that the last release does not need, and what is left of chains."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import open_worlds
    from chainctl.deploy.plan import line_of
    from chainctl.errors import UsageError
    from chainctl.workflows.prune import planned
    from chainctl.workflows.prune import prune as do_prune

    console = Console(is_quiet=quiet)
    found = []
    for world in open_worlds(settings_for(target=target)):
        for name in sorted({*world.target.chains(), *world.ledger.chains()}):
            if chain not in (None, name):
                continue
            if yes:
                plan = do_prune(name, world.target, world.ledger, console.emit, now, is_warm_kept=not warm)
            else:
                plan = planned(name, world.target, world.ledger, is_warm_kept=not warm)
            found.append((world.name, plan))
    console.stop()
    if chain is not None and not found:
        raise UsageError(f"there is no chain called {chain} here", hint="`chainctl ps` shows the names.")
    gone = [(where, plan) for where, plan in found if not plan.is_empty]
    lines = [f"{plan.chain} ({where}): {line_of(op)}" for where, plan in gone for op in plan.operations]
    if gone and not yes:
        console.line("Nothing was removed. `--yes` removes it.")
    value = [
        {"chain": plan.chain, "target": where, "operations": [line_of(op) for op in plan.operations]}
        for where, plan in gone
    ]
    print_result("\n".join(lines), {"chains": value, "is_done": yes}, as_json=as_json)
