"""`chainctl scale CHAIN/CHAINLET=N`: more or fewer replicas of what serves."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, QuietOption, SecretsOption, TargetOption, complete_chains


def scale(
    wanted: Annotated[
        list[str],
        typer.Argument(
            metavar="CHAIN/CHAINLET=N...",
            help="How many replicas of a chainlet should run; of one chain.",
            autocompletion=complete_chains,
        ),
    ],
    target: TargetOption = None,
    secrets: SecretsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start or stop replicas of a chain's services; what runs is not touched."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.redeploying import brought_up, print_redeployed
    from chainctl.cli.scale_arguments import chain_and_counts
    from chainctl.workflows.scale import scale as bring_to

    console = Console(is_quiet=quiet)
    chain, counts = chain_and_counts(wanted)
    done = brought_up(
        chain,
        console,
        lambda site, *_: bring_to(chain, counts, site, console.emit, now),
        target=target,
        secrets=secrets,
        keep_warm=None,
    )
    shown = ", ".join(f"{chainlet}={count}" for chainlet, count in sorted(counts.items()))
    print_redeployed(done, f" with {shown}", console, is_quiet=quiet, as_json=as_json)
