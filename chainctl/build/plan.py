"""ChainGraph in, BuildPlan out: one ImagePlan per chainlet, named by its context before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.build.context import BuildContext, ImageRef


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The image of one chainlet: its name, what it is made of, the base it starts from."""

    chainlet: str
    ref: ImageRef
    context: BuildContext
    base_image: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All images of a chain, sorted by chainlet."""

    images: tuple[ImagePlan, ...]

    def missing(self, existing: frozenset[ImageRef]) -> tuple[ImagePlan, ...]:
        """Return the images that are not there yet."""
        return tuple(image for image in self.images if image.ref not in existing)
