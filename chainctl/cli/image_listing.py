"""Images of all reachable targets in; a table or JSON values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainctl.cli.durations import age_text
from chainctl.cli.output import table
from chainctl.cli.sizes import size_text
from chainctl.workflows.images import ListedImage

_HEADER = ["CHAIN", "CHAINLET", "TAG", "TARGET", "SIZE", "OWN", "AGE", "RELEASES", "STATE"]


def images_text(images: Sequence[tuple[str, ListedImage]], now: float) -> str:
    """Render images, each with the name of its target, as a table."""
    return table(_HEADER, [_row(target, one, now) for target, one in images]) if images else ""


def images_json(images: Sequence[tuple[str, ListedImage]]) -> list[dict[str, Any]]:
    """Describe images as JSON values."""
    return [
        {
            "chain": one.image.chain,
            "chainlet": one.image.chainlet,
            "target": target,
            "image": one.image.own_name,
            "names": list(one.image.names),
            "id": one.image.id,
            "bytes": one.image.bytes,
            "own_bytes": one.image.own_bytes,
            "since": one.image.since,
            "releases": [{"chain": chain, "release": number} for chain, number in one.releases],
            "users": list(one.image.users),
            "running": list(one.image.running),
        }
        for target, one in images
    ]


def _row(target: str, one: ListedImage, now: float) -> list[str]:
    image = one.image
    tag = image.own_name.rpartition(":")[2] or image.id.removeprefix("sha256:")[:12]
    state = "running" if image.running else "used" if image.users else ""
    releases = ", ".join(str(number) for _, number in one.releases)
    sizes = [size_text(image.bytes), size_text(image.own_bytes)]
    return [image.chain, image.chainlet, tag, target, *sizes, age_text(now - image.since), releases, state]
