"""`chainctl env set|list|rm`: environment variables that chainlets get with the next push."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, TargetOption, complete_chains

WhereArgument = Annotated[
    str,
    typer.Argument(
        metavar="CHAIN[/CHAINLET]", help="All of a chain, or one chainlet.", autocompletion=complete_chains
    ),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="NAME",
        help='Only in this one, "" for every one; without it the setting `environment` decides.',
    ),
]


def env_set(
    where: WhereArgument,
    variables: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Variables to set.")],
    environment: EnvironmentOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set environment variables; the next push applies them. Not for secrets: they can be read."""
    from chainctl.cli.output import print_result
    from chainctl.cli.variable_listing import changed_json, changed_text
    from chainctl.cli.variables import set_variables

    done = set_variables(where, variables, environment=environment, target=target)
    print_result("\n".join(changed_text(done, "set")), changed_json(done), as_json=as_json)


def env_list(
    chain: Annotated[
        str | None, typer.Argument(help="Only this chain.", autocompletion=complete_chains)
    ] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the variables that were set, and where they hold."""
    from chainctl.cli.output import print_result
    from chainctl.cli.variable_listing import variables_json, variables_text
    from chainctl.cli.variables import listed_variables

    rows = listed_variables(chain, target=target)
    print_result(variables_text(rows), {"variables": variables_json(rows)}, as_json=as_json)


def env_rm(
    where: WhereArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Variables to remove.")],
    environment: EnvironmentOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove variables that were set; the next push gives what the chain file says."""
    from chainctl.cli.output import print_result
    from chainctl.cli.variable_listing import changed_json, changed_text
    from chainctl.cli.variables import remove_variables

    done = remove_variables(where, names, environment=environment, target=target)
    print_result("\n".join(changed_text(done, "removed")), changed_json(done), as_json=as_json)
