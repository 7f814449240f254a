"""Image names in; the same in a registry in memory out."""

from __future__ import annotations

import hashlib

from chainctl.build.context import ImageRef
from chainctl.build.registry import Published, RegistryAddress
from chainctl.errors import RegistryError


class MemoryRegistry:
    """A registry in memory; pushing a repository that ends with one of `refuses` fails."""

    def __init__(self, *, refuses: tuple[str, ...] = ()) -> None:
        self.images: dict[str, str] = {}
        self._refuses = refuses

    @property
    def address(self) -> RegistryAddress:
        return RegistryAddress("registry.test", "models")

    def publish(self, ref: ImageRef) -> Published:
        if ref.repository.endswith(self._refuses or ("\0",)):
            raise RegistryError(f"no {ref}")
        was_there = str(ref) in self.images
        digest = hashlib.sha256(str(ref).encode()).hexdigest()
        self.images[str(ref)] = digest
        return Published(f"{self.address.repository_of(ref)}@sha256:{digest}", was_there)
