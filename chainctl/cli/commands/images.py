"""`chainctl images`: which images there are, how large they are and what uses them."""

from __future__ import annotations

from typing import Annotated

import typer

from chainctl.cli.options import JsonOption, TargetOption, complete_chains


def images(
    chain: Annotated[
        str | None, typer.Argument(help="Only this chain.", autocompletion=complete_chains)
    ] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List images with their sizes and the releases that use them."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.image_listing import images_json, images_text
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import open_worlds
    from chainctl.workflows.images import list_images

    listed = [
        (world.name, one)
        for world in open_worlds(settings_for(target=target))
        for one in list_images(world.store, world.ledger, chain)
    ]
    if chain and not listed:
        Console().line(f"There is no image of {chain} here.")
    print_result(images_text(listed, now()), {"images": images_json(listed)}, as_json=as_json)
