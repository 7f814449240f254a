"""`chainctl restart CHAIN[/CHAINLET]`: the same images, started anew."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import (
    JsonOption,
    KeepWarmOption,
    QuietOption,
    SecretsOption,
    TargetOption,
    complete_chains,
)


def restart(
    chain: Annotated[
        str,
        typer.Argument(
            metavar="CHAIN[/CHAINLET]",
            help="A chain, or one of its chainlets with all that call it.",
            autocompletion=complete_chains,
        ),
    ],
    target: TargetOption = None,
    secrets: SecretsOption = None,
    keep_warm: KeepWarmOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start services anew beside those that run, then flip: no request is lost."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.redeploying import brought_up, print_redeployed
    from chainctl.cli.rollout_arguments import chain_and_chainlet
    from chainctl.workflows.restart import restart as start_anew

    console = Console(is_quiet=quiet)
    name, chainlet = chain_and_chainlet(chain)
    done = brought_up(
        name,
        console,
        lambda site, kept, _: start_anew(name, chainlet, site, kept, console.emit, now),
        target=target,
        secrets=secrets,
        keep_warm=keep_warm,
    )
    print_redeployed(done, ", started anew", console, is_quiet=quiet, as_json=as_json)
