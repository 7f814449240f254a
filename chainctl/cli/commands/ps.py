"""`chainctl ps`: which chains run, where, and how they are."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, TargetOption, complete_chains


def ps(
    chain: Annotated[
        str | None, typer.Argument(help="Only this chain.", autocompletion=complete_chains)
    ] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List chains and their services."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.listing import listed_chains, listing_json, listing_text
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for

    chains = listed_chains(settings_for(target=target), chain, Console().line)
    if chain and not chains:
        Console().line(f"There is no chain called {chain} here.")
    print_result(listing_text(chains, now()), {"chains": listing_json(chains)}, as_json=as_json)
