"""What resolves requirements and knows base images, as protocols; adapters implement them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chainctl.build.lock import BaseFacts, Environment
from chainctl.build.settle import Task, Upgrade


class Resolver(Protocol):
    """Finds the packages of an environment. Raises LockError that says what stands in the way."""

    def resolve(self, task: Task, upgrade: Upgrade) -> Environment: ...

    def cancel(self) -> None:
        """Break off what other threads resolve."""
        ...


class BaseImages(Protocol):
    """Knows the images that others start from. Raises LockError for one that cannot be had or has no Python."""

    def digest(self, image: str) -> tuple[str, bool]:
        """Return the digest that a registry gave; or the id of an image that only the engine has, and True."""
        ...

    def facts(self, image: str, pythons: Iterable[str]) -> BaseFacts:
        """Ask an image which Python versions its interpreters have, and for its libc."""
        ...
