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
    is an environment marker, "" where the package is always installed. `via` names who asked for it:
    packages, files relative to the chain file, `chainctl` for the runtime. `path` is the place of a package
    that is on this machine only, relative to the lock; its requirement then ends in `@ ./local/NAME`.
    """

    name: str
    requirement: str
    hashes: tuple[str, ...] = ()
    marker: str = ""
    via: tuple[str, ...] = ()
    path: str = ""

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
    `packages` are sorted by name. `indexes` are the URLs of indexes, without credentials, in the order
    in which they are looked at; none is the public one. `find_links` are URLs of pages with archives.
    `torch_backend` is "cpu" where builds of torch and its like for the CPU were chosen.
    """

    inputs: str
    python: str
    platform: str
    packages: tuple[LockedPackage, ...]
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    torch_backend: str = ""

    @property
    def local_packages(self) -> tuple[LockedPackage, ...]:
        """The packages whose files come from this machine."""
        return tuple(package for package in self.packages if package.path)

    @property
    def requirements_text(self) -> str:
        """A pip requirements file with hashes."""
        return "".join(f"{package.text}\n" for package in self.packages)


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """What a base image was found to have when it was pinned.

    `pythons` maps executables to versions such as `3.11`; empty where nobody had to ask. `libc` is such as
    `glibc 2.36`, "" when unknown. `is_local` says that the pin is the id of an image which no registry gave.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    libc: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class OtherChain:
    """What another chain uses of the same lock: its chainlets' environments, and its base images."""

    chainlets: Mapping[str, str] = field(default_factory=dict)
    base_images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """`environments` by name, `chainlets` maps display names to those names, `base_images` images to digests.

    A base image that only the engine has (built or loaded there) is pinned by its image id; `base_facts`
    say so of it. `others` are the chains of the same directory, which share the file, as `FILE:ENTRYPOINT`;
    `own_base_images` are those of this chain.
    """

    environments: Mapping[str, Environment] = field(default_factory=dict)
    chainlets: Mapping[str, str] = field(default_factory=dict)
    base_images: Mapping[str, str] = field(default_factory=dict)
    base_facts: Mapping[str, BaseFacts] = field(default_factory=dict)
    own_base_images: tuple[str, ...] = ()
    others: Mapping[str, OtherChain] = field(default_factory=dict)

    def environment_of(self, chainlet: str) -> Environment:
        """Return what a chainlet installs. Raises KeyError where it is not locked."""
        return self.environments[self.chainlets[chainlet]]
