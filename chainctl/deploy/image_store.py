"""What a target keeps on its disk, as values, and the protocol of what lists and removes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image of ours. `names` are all that it has, also those that are not ours.

    `own_bytes` is what no other image shares, None where the target does not tell. `since` is when
    it was made or last named, in seconds since the epoch. `users` are the containers or services
    that were made from it, `running` those of them that run.
    """

    id: str
    names: tuple[str, ...]
    chain: str
    chainlet: str
    bytes: int
    own_bytes: int | None
    since: float
    users: tuple[str, ...] = ()
    running: tuple[str, ...] = ()

    @property
    def own_name(self) -> str:
        """The name that a release calls it, "" when it has none."""
        return next((name for name in sorted(self.names) if name.count("/") == 1), "")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A container of ours that does not run, or what a build that was cut off left behind.

    `is_service` tells services, which may be wanted again, from what only carried files.
    """

    id: str
    name: str
    chain: str
    since: float
    is_service: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """All that a target keeps of ours, sorted; `bytes` is what all of it takes, None if not known."""

    images: tuple[StoredImage, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    bytes: int | None = None


class ImageStore(Protocol):
    """The images of one target. Raises EngineError when it does not answer."""

    def stored(self, chain: str | None = None) -> Stored:
        """Return what there is of one chain or of all; `bytes` is always that of everything."""
        ...

    def remove_image(self, image: StoredImage) -> None:
        """Remove an image with all its names. Raises DeployError when something uses it by now."""
        ...

    def remove_leftover(self, leftover: Leftover) -> None:
        """Remove a container with its secrets, or what a build left. Raises DeployError."""
        ...
