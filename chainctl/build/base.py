"""A chainlet's base image in; what stands behind FROM, as exactly as a lock pins it, out."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.build.lock import Lock
from chainctl.build.settings import BuildSettings
from chainctl.sdk.config import DockerImage


@dataclass(frozen=True, slots=True)
class Base:
    """A name for FROM. `id` is the image id that the engine must have under it, "" where any will do."""

    name: str
    id: str = ""


def base_of(image: DockerImage, settings: BuildSettings, lock: Lock | None) -> Base:
    """Return the base of an image: by digest where the lock has a digest of a registry.

    An image that was never in a registry has an id only, which no builder takes as a name: it keeps
    its name and is compared with its id before the build.
    """
    name = settings.image_for(image.base_image)
    pinned = lock.base_images.get(name, "") if lock else ""
    return Base(pinned) if "@" in pinned else Base(name, pinned)
