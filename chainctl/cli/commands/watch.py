"""`chainctl watch chain.py`: serve each save of a chain's files, by the smallest safe action."""

from __future__ import annotations

from chainctl.cli.options import FileArgument, NameOption, SecretsOption, TargetOption, VerboseOption


def watch(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    secrets: SecretsOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Push a chain, or take the one that runs, and serve each save of its files; models stay loaded."""
    from chainctl.cli.console import Console
    from chainctl.cli.editing import watch_file

    watch_file(file, Console(is_verbose=verbose), target=target, name=name, secrets=secrets)
