"""What every image installs, exactly, as one frozen value: the content of `chainctl.lock`.

Chainlets that ask for the same share an environment. Pure: files and resolvers are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package exactly.

    `requirement` is in pip's form without marker: `numpy==2.1.0`, `x @ git+https://…@<commit>`. `hashes`
    are `sha256:…` of every file that may be installed; there are none for what is no archive. `marker`
    is an environment marker, "" where the package is always installed. `via` names who asked for it.
    """

    name: str
    requirement: str
    hashes: tuple[str, ...] = ()
    marker: str = ""
    via: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The package as a line of a pip requirements file, its hashes on lines that continue it."""
        line = f"{self.requirement} ; {self.marker}" if self.marker else self.requirement
        return " \\\n    ".join([line, *(f"--hash={digest}" for digest in self.hashes)])


@dataclass(frozen=True, slots=True)
class Environment:
    """What one or more chainlets install.

    `inputs` is a hex sha256 of all that was asked for, so that a change of it can be seen without
    resolving again. `python` is a version such as `3.11`, `platform` an image platform such as `linux/amd64`.
    `packages` are sorted by name. `indexes` are the URLs of indexes, without credentials.
    """

    inputs: str
    python: str
    platform: str
    packages: tuple[LockedPackage, ...]
    indexes: tuple[str, ...] = ()

    @property
    def requirements_text(self) -> str:
        """A pip requirements file with hashes."""
        return "".join(f"{package.text}\n" for package in self.packages)


@dataclass(frozen=True, slots=True)
class Lock:
    """`environments` by name, `chainlets` maps display names to those names, `base_images` images to digests.

    A base image that only the engine has (built or loaded there) is pinned by its image id.
    """

    environments: Mapping[str, Environment] = field(default_factory=dict)
    chainlets: Mapping[str, str] = field(default_factory=dict)
    base_images: Mapping[str, str] = field(default_factory=dict)

    def environment_of(self, chainlet: str) -> Environment:
        """Return what a chainlet installs. Raises KeyError where it is not locked."""
        return self.environments[self.chainlets[chainlet]]
