"""Where images are published, as a protocol, and the address of such a place; adapters implement it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from chainctl.build.context import ImageRef
from chainctl.errors import UsageError

_HOST = re.compile(r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|\[[0-9a-f:]+\]|[a-z0-9-]+(?=:))(:[0-9]{1,5})?")
_PART = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
_FORM = "give `HOST/PREFIX`, such as `ghcr.io/ada` or `127.0.0.1:5000/models`, in lower case, without scheme"


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """A registry and what its images' names begin with; `prefix` may be empty."""

    host: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> RegistryAddress:
        """Read `HOST/PREFIX`. Raises UsageError, which repeats nothing that may be a password."""
        if "@" in text:
            raise UsageError(
                "The registry is given with credentials", hint="log in with `docker login HOST`."
            )
        host, _, prefix = text.rstrip("/").partition("/")
        if not _HOST.fullmatch(host):
            raise UsageError(f"{text!r} names no registry", hint=f"{_FORM}.")
        if prefix and not all(_PART.fullmatch(part) for part in prefix.split("/")):
            raise UsageError(f"{prefix!r} can not begin the names of images", hint=f"{_FORM}.")
        return cls(host, prefix)

    def repository_of(self, ref: ImageRef) -> str:
        """Return the repository of an image there."""
        return "/".join(filter(None, (self.host, self.prefix, ref.repository)))

    def __str__(self) -> str:
        return "/".join(filter(None, (self.host, self.prefix)))


@dataclass(frozen=True, slots=True)
class Published:
    """An image in a registry: `image` names it by digest, `was_there` says that nothing was sent."""

    image: str
    was_there: bool = False


class Registry(Protocol):
    """Takes images that the engine has. A name that is there already is never sent again."""

    @property
    def address(self) -> RegistryAddress: ...

    def publish(self, ref: ImageRef) -> Published:
        """Push one image; any number of threads may. Raises RegistryError, EngineError."""
        ...
