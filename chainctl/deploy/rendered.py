"""What is written out for others to run: files, and what those who run them have to give."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from chainctl.deploy.release import ServiceSpec, dns_label
from chainctl.errors import UsageError


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


def file_stem(spec: ServiceSpec, every: Collection[ServiceSpec]) -> str:
    """Return what the file of a service is called: as its chainlet, so that a new release changes the file.

    Where chainlets are called nearly the same, it is called as the service.
    """
    stem = dns_label(spec.chainlet)
    same = [one for one in every if dns_label(one.chainlet) == stem]
    return stem if stem and len(same) == 1 else spec.name


def unpublished(specs: Collection[ServiceSpec], where: str) -> tuple[str, ...]:
    """Say which images are named by tag: nobody can fetch those from a registry."""
    images = sorted({spec.image for spec in specs if not spec.published})
    if not images:
        return ()
    return (f"{where} must have these images, for they are in no registry: {', '.join(images)}",)


def require_one_owner(paths: Collection[str], where: str) -> None:
    """Raise UsageError when two files would have the same path."""
    if len(set(paths)) < len(paths):
        twice = sorted({path for path in paths if list(paths).count(path) > 1})
        raise UsageError(
            f"Two files of {where} would be called {twice[0]}", hint="give the chainlets other names."
        )
