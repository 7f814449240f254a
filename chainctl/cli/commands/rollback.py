"""`chainctl rollback CHAIN`: an older release, up again."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import (
    ChainArgument,
    JsonOption,
    KeepWarmOption,
    QuietOption,
    SecretsOption,
    TargetOption,
)


def rollback(
    chain: ChainArgument,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=1, help="Which release; without it the last other one."),
    ] = None,
    target: TargetOption = None,
    secrets: SecretsOption = None,
    keep_warm: KeepWarmOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring an older release up again, under a new number. Builds nothing: its images must be there."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.redeploying import brought_up, print_redeployed
    from chainctl.workflows.rollback import rollback as roll_back

    console = Console(is_quiet=quiet)
    done = brought_up(
        chain,
        console,
        lambda site, kept, restore: roll_back(chain, to, site, kept, console.emit, now, restore),
        target=target,
        secrets=secrets,
        keep_warm=keep_warm,
    )
    words = f"; it is release {done.origin} again" if done.number != done.origin else ", as before"
    print_redeployed(done, words, console, is_quiet=quiet, as_json=as_json)
