"""`chainctl lock chain.py`: pin what images install."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainctl.cli.options import FileArgument, JsonOption, QuietOption, SecretsOption


def lock(
    file: FileArgument,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Choose all versions and base images anew.")
    ] = False,
    upgrade_package: Annotated[
        list[str] | None,
        typer.Option("--upgrade-package", metavar="NAME", help="Choose the version of one package anew."),
    ] = None,
    upgrade_base: Annotated[
        bool, typer.Option("--upgrade-base", help="Choose the base images anew, and no package.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where the lock would have to change.")
    ] = False,
    secrets: SecretsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Pin packages with hashes and base images by digest in chainctl.lock, beside the chain file."""
    from chainctl.cli.loading import load_graph

    graph = load_graph(file, _prepare)

    from chainctl.adapters.files import take_lock_snapshot
    from chainctl.build.settle import Upgrade
    from chainctl.cli.console import Console
    from chainctl.cli.draft_settings import draft_settings
    from chainctl.cli.lock_text import lock_json, lock_summary
    from chainctl.cli.locking import Locker
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.errors import UsageError

    wish = Upgrade(upgrade, tuple(upgrade_package or ()), upgrade_base)
    if check and wish != Upgrade():
        raise UsageError("`--check` changes nothing", hint="leave out `--check` to upgrade.")
    console = Console(is_quiet=quiet)
    console.problems(graph.warnings)
    settings = settings_for(Path(graph.path), secrets_file=secrets)
    build = draft_settings(settings, None).build
    locker = Locker(settings, build, console, is_locked=check, upgrade=wish)
    done = locker.settled(graph, take_lock_snapshot(graph))
    print_result(lock_summary(done), lock_json(done), as_json=as_json)


def _prepare() -> None:
    """Import what follows while the chain file is loaded."""
    import chainctl.adapters.files
    import chainctl.adapters.lock_file
    import chainctl.cli.lock_text
    import chainctl.cli.locking
    import chainctl.cli.wiring  # noqa: F401
