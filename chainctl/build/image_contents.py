"""What was found in an image, as values, and the protocol of what looks into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chainctl.build.base import Base


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Python package that is installed. `license` is an SPDX expression or a name, "" if unknown."""

    name: str
    version: str
    license: str = ""
    has_expression: bool = False


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """A package of the system's package manager. `source` is what it was built from, "" if the same."""

    name: str
    version: str
    architecture: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """As /etc/os-release calls it: `debian`, `12`, `Debian GNU/Linux 12 (bookworm)`."""

    id: str
    version: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """Some files of an image: how many, and a hex sha256 over their paths and contents."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ImageContents:
    """An image, looked into. `id` is its digest on the engine; lists are sorted by name.

    `base` is what it was built on, None where it does not say.
    """

    id: str
    platform: str
    base: Base | None = None
    distributions: tuple[Distribution, ...] = ()
    system_packages: tuple[SystemPackage, ...] = ()
    system: OperatingSystem | None = None
    code: Files | None = None
    runtime: Files | None = None
    runtime_version: str = ""


class ImageReader(Protocol):
    """Looks into images without running them."""

    def contents(self, image: str) -> ImageContents:
        """Raises UsageError when there is no such image, EngineError."""
        ...
