"""What is written out for others to run: files, and what those who run them have to give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from chainctl.deploy.release import ServiceSpec, dns_label


@dataclass(frozen=True, slots=True)
class Needed:
    """One thing that the files refer to and do not hold: what it is, and the command that makes it."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Files by path, sorted; what they need besides; and what else is to be known."""

    files: tuple[tuple[str, str], ...]
    needed: tuple[Needed, ...] = ()
    notices: tuple[str, ...] = ()


def file_stems(specs: Collection[ServiceSpec]) -> dict[str, str]:
    """Return what the file of each service is called: as its chainlet, so that a new release changes the file.

    Where chainlets are called nearly the same, it is called as the service.
    """
    labels = {spec.name: dns_label(spec.chainlet) for spec in specs}
    counts = Counter(labels.values())
    return {name: label if label and counts[label] == 1 else name for name, label in labels.items()}


def unpublished(specs: Collection[ServiceSpec], where: str) -> tuple[str, ...]:
    """Say which images are named by tag: nobody can fetch those from a registry."""
    images = sorted({spec.image for spec in specs if not spec.published})
    if not images:
        return ()
    return (f"{where} must have these images, for they are in no registry: {', '.join(images)}",)
