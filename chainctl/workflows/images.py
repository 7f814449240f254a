"""A target's store and its ledger in; its images with the releases that use them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chainctl.deploy.gc import Known, uses_of
from chainctl.deploy.image_store import ImageStore, StoredImage
from chainctl.state.ledger import Ledger


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image, and the releases, chain and number, that use it."""

    image: StoredImage
    releases: tuple[tuple[str, int], ...]


def list_images(store: ImageStore, ledger: Ledger, only: str | None = None) -> list[ListedImage]:
    """List all images of ours on a target, or those of one chain."""
    known = recorded(ledger)
    return [ListedImage(image, uses_of(image, known)) for image in store.stored(only).images]


def recorded(
    ledger: Ledger, last: int | None = None, others: Mapping[str, Ledger] = MappingProxyType({})
) -> dict[str, Known]:
    """Read the last releases of every chain, newest first.

    `others` are the ledgers of targets whose images may be on the same engine: what they have is told by
    the target, as "shop on prod". Raises ChainctlError for a release that can not be read: what it uses is not
    known then.
    """
    known = {}
    for chain in ledger.chains():
        numbers = sorted(ledger.numbers(chain), reverse=True)[:last]
        known[chain] = Known({number: ledger.load(chain, number).release for number in numbers})
    for target, other in others.items():
        known |= {f"{chain} on {target}": of for chain, of in recorded(other, last).items()}
    return known
