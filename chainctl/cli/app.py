"""The Typer application: a group that loads the file of a verb when that verb is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from chainctl.cli.verbs import VERBS, Verb

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


_HELP = {"help_option_names": ["-h", "--help"]}


class VerbGroup(TyperGroup):
    """Lists verbs from the table; loads one of them only to run it or to show its own help."""

    _is_listing = False

    def list_commands(self, ctx: Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        return TyperCommand(verb.name, help=verb.summary) if self._is_listing else loaded(verb)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        self._is_listing = True
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        self.commands = dict.fromkeys(VERBS, TyperCommand(None))
        return super().resolve_command(ctx, args)


def loaded(verb: Verb) -> Command:
    """Import a verb's file and make its command, or the group of its actions."""
    module = importlib.import_module(verb.module)
    names = {verb.name: verb.function} if not verb.actions else verb.actions_functions
    holder = typer.Typer(
        help=verb.summary if verb.actions else None,
        no_args_is_help=bool(verb.actions),
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    settings = {**_HELP, "allow_interspersed_args": not verb.passes_on}
    for name, function in names.items():
        holder.command(name, context_settings=settings)(getattr(module, function))
    return typer.main.get_command(holder)


app = typer.Typer(
    name="chainctl",
    cls=VerbGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)


@app.callback(epilog="`chainctl push chain.py` brings a chain up and prints its URL.")
def chainctl() -> None:
    """Write a multi-model pipeline as typed Python classes; run it on anything you own."""
