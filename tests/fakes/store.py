"""Images and leftovers in; an ImageStore in memory out, which remembers what was removed."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from chainctl.errors import DeployError


class MemoryStore:
    """A store in memory; removing an image whose id is in `in_use` fails."""

    def __init__(self, stored: Stored, *, in_use: frozenset[str] = frozenset()) -> None:
        self.removed: list[str] = []
        self._stored = stored
        self._in_use = in_use

    def stored(self, chain: str | None = None) -> Stored:
        there = self._stored
        return replace(
            there,
            images=tuple(i for i in there.images if chain in (None, i.chain)),
            leftovers=tuple(one for one in there.leftovers if chain in (None, one.chain)),
            bytes=None if there.bytes is None else sum(i.bytes for i in there.images),
        )

    def change(self, stored: Stored) -> None:
        """Let something happen on the target."""
        self._stored = stored

    def remove_image(self, image: StoredImage) -> None:
        if image.id in self._in_use:
            raise DeployError(f"{image.id} is used")
        self.removed.append(image.id)
        self._stored = replace(self._stored, images=tuple(i for i in self._stored.images if i.id != image.id))

    def remove_leftover(self, leftover: Leftover) -> None:
        self.removed.append(leftover.id)
        left = tuple(one for one in self._stored.leftovers if one.id != leftover.id)
        self._stored = replace(self._stored, leftovers=left)
