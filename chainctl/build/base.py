"""A chainlet's base image in; what stands behind FROM, as exactly as a lock pins it, out."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.build.lock import BaseFacts, Lock
from chainctl.build.settings import BuildSettings
from chainctl.sdk.config import DockerImage


@dataclass(frozen=True, slots=True)
class Base:
    """A base image as the user names it, and how a lock pins it.

    `digest` is that of a registry, `id` the image id that the engine must have under the name; at most
    one of them is set.
    """

    name: str
    digest: str = ""
    id: str = ""

    @property
    def reference(self) -> str:
        """What FROM is given: by digest where there is one, since a tag moves."""
        return f"{self._repository}@{self.digest}" if self.digest else self.name

    @property
    def _repository(self) -> str:
        """The name without its tag and digest."""
        bare = self.name.partition("@")[0]
        head, _, tag = bare.rpartition(":")
        return head if head and "/" not in tag else bare


def base_of(image: DockerImage, settings: BuildSettings, lock: Lock | None) -> Base:
    """Return the base of an image.

    An image that was never in a registry has an id only, which no builder takes as a name: it keeps
    its name and is compared with its id before the build.
    """
    name = settings.image_for(image.base_image)
    pinned = lock.base_images.get(name, "") if lock else ""
    is_local = lock is not None and lock.base_facts.get(name, BaseFacts()).is_local
    return Base(name, id=pinned) if is_local else Base(name, pinned)
