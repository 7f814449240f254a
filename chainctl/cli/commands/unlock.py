"""`chainctl unlock TOKEN`: free what a command that is gone for good has locked."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, TargetOption


def unlock(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="As the refused command named it.")],
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a lock away from a command that is gone for good. One that is not learns so at its next write."""
    from chainctl.cli.applying import open_db
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.errors import StateError

    settings = settings_for(target=target)
    names = settings.wanted_targets
    for name in names:
        with open_db(settings, name) as db:
            try:
                scope = db.unlock(token)
            except StateError as error:
                if name == names[-1]:
                    raise error
                continue
        print_result(f"{scope} is unlocked", {"scope": scope, "target": name}, as_json=as_json)
        return
