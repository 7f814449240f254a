"""What a target keeps and which releases use it in; what goes, what stays, and why, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from chainctl.build.plan import repository_part
from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from chainctl.deploy.release import Release

GRACE_SEC = 3600.0
KEEP = 3


@dataclass(frozen=True, slots=True)
class RemoveImage:
    """Remove an image."""

    image: StoredImage
    cause: str


@dataclass(frozen=True, slots=True)
class RemoveLeftover:
    """Remove a container that does not run, or what a build left behind."""

    leftover: Leftover
    cause: str


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image that stays."""

    image: StoredImage
    cause: str


Removal = RemoveImage | RemoveLeftover


@dataclass(frozen=True, slots=True)
class GcPlan:
    """Containers first, then the images that they were made from; what stays, with its cause."""

    removals: tuple[Removal, ...] = ()
    kept: tuple[KeptImage, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.removals

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains of which something goes, sorted."""
        return tuple(sorted({chain_of(removal) for removal in self.removals}))

    @property
    def least_bytes(self) -> int:
        """What is freed at least: layers that only removed images share come on top of it."""
        images = [removal.image for removal in self.removals if isinstance(removal, RemoveImage)]
        return sum(image.own_bytes or 0 for image in images)


@dataclass(frozen=True, slots=True)
class Known:
    """The last releases of a chain by number, newest first, as they are recorded here."""

    releases: Mapping[int, Release]

    def numbers_of(self, image: str) -> tuple[int, ...]:
        """Return the releases that use an image."""
        return tuple(
            n for n, release in self.releases.items() if any(s.image == image for s in release.services)
        )

    def has_service(self, name: str) -> bool:
        return any(s.name == name for release in self.releases.values() for s in release.services)


def plan_gc(
    stored: Stored,
    known: Mapping[str, Known],
    now: float,
    *,
    only: str | None = None,
    grace_sec: float = GRACE_SEC,
) -> GcPlan:
    """Decide what goes: `known` has the releases that are kept, of every chain that has some.

    Nothing goes that a container uses, that is younger than the grace (a build may be under way),
    that has a name which is not ours, or whose chain is here but was released from elsewhere.
    """
    leftovers = [one for one in stored.leftovers if only in (None, one.chain)]
    gone = [RemoveLeftover(one, why) for one in leftovers if (why := _end_of(one, known, now - grace_sec))]
    names_gone = {removal.leftover.name for removal in gone}
    foreign = _released_elsewhere(stored, known)
    images: list[RemoveImage] = []
    kept: list[KeptImage] = []
    for image in (one for one in stored.images if only in (None, one.chain)):
        why = _reason_to_keep(image, known, names_gone, foreign, now - grace_sec)
        if why:
            kept.append(KeptImage(image, why))
        else:
            images.append(RemoveImage(image, _end_of_image(image, known)))
    return GcPlan((*gone, *images), tuple(kept))


def uses_of(image: StoredImage, known: Mapping[str, Known]) -> tuple[tuple[str, int], ...]:
    """Return the recorded releases, chain and number, that use an image; newest first in each chain."""
    found = ((chain, n) for chain in sorted(known) for n in _numbers(image, known[chain]))
    return tuple(found)


def chain_of(removal: Removal) -> str:
    match removal:
        case RemoveImage(image=image):
            return image.chain
        case RemoveLeftover(leftover=leftover):
            return leftover.chain
        case _:
            assert_never(removal)


def gc_line(removal: Removal) -> str:
    """One line of the plan's text: what goes, and why."""
    match removal:
        case RemoveImage(image=image, cause=cause):
            return f"- image {image.own_name or image.id[:19]}: {cause}"
        case RemoveLeftover(leftover=leftover, cause=cause):
            return f"- {leftover.name}: {cause}"
        case _:
            assert_never(removal)


def _reason_to_keep(
    image: StoredImage, known: Mapping[str, Known], gone: set[str], foreign: set[str], oldest: float
) -> str:
    if image.running:
        return f"{image.running[0]} runs from it"
    users = [user for user in image.users if user not in gone]
    if users:
        return f"{users[0]} was made from it"
    if uses := uses_of(image, known):
        return "release " + ", ".join(f"{number} of {chain}" for chain, number in uses) + " uses it"
    if others := [name for name in image.names if not is_our_name(name, image)]:
        return f"it is called {others[0]}, too"
    if image.chain in foreign:
        return f"{image.chain} is on this target and was released from elsewhere"
    return "it is new: a push may be under way" if image.since > oldest else ""


def is_our_name(name: str, image: StoredImage) -> bool:
    """Say whether a name is one that a build or a push to a registry gives: `…chain/chainlet:tag`."""
    chain, _, chainlet = name.rpartition(":")[0].rpartition("/")
    owners = [repository_part(image.chain), repository_part(image.chainlet)]
    return [chain.rpartition("/")[2], chainlet] == owners


def _end_of_image(image: StoredImage, known: Mapping[str, Known]) -> str:
    if not image.names:
        return "it has no name any more"
    if image.chain not in known:
        return f"{image.chain} has no release any more"
    return "none of the releases that are kept uses it"


def _end_of(leftover: Leftover, known: Mapping[str, Known], oldest: float) -> str:
    """A service of a chain that was released from elsewhere may be wanted there."""
    if leftover.since > oldest:
        return ""
    if not leftover.is_service:
        return "it was left behind"
    if leftover.chain not in known or known[leftover.chain].has_service(leftover.name):
        return ""
    return "it does not run, and no release that is kept has it"


def _released_elsewhere(stored: Stored, known: Mapping[str, Known]) -> set[str]:
    used = {image.chain for image in stored.images if image.users}
    return (used | {one.chain for one in stored.leftovers if one.is_service}) - known.keys()


def _numbers(image: StoredImage, known: Known) -> list[int]:
    return sorted({n for name in image.names for n in known.numbers_of(name)}, reverse=True)
