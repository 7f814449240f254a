"""The inputs of many images in; a table that holds each once, to be recorded with a release, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainctl.build.inputs import Input


@dataclass(frozen=True, slots=True)
class InputTable:
    """All inputs of a chain, each once. `images` has the places of those of each chainlet.

    Chainlets share most of what they are made of: data, helpers, the runtime. Raises ValueError for a place
    that there is not.
    """

    inputs: tuple[Input, ...] = ()
    images: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = {place for image in self.images.values() for place in image}
        if places and not (min(places) >= 0 and max(places) < len(self.inputs)):
            raise ValueError("an image has an input that is not recorded")

    @classmethod
    def of(cls, images: Mapping[str, Sequence[Input]]) -> InputTable:
        """Put the inputs of images, by chainlet, into a table."""
        places: dict[Input, int] = {}
        for inputs in images.values():
            for one in inputs:
                places.setdefault(one, len(places))
        return cls(tuple(places), {name: tuple(places[i] for i in inputs) for name, inputs in images.items()})

    def image(self, chainlet: str) -> tuple[Input, ...]:
        """Return the inputs of one image; there are none of a chainlet that is not in the table."""
        return tuple(self.inputs[place] for place in self.images.get(chainlet, ()))
