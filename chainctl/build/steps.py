"""What the slow steps of images are made of in; which images share them, and what to build first, out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

from chainctl.build.context import digest_of_text

T = TypeVar("T")


def step_digests(parts: Iterable[str]) -> tuple[str, ...]:
    """Digests of steps in their order, each over its own text and all before it: equal ones are one step."""
    return tuple(accumulate(parts, lambda before, part: digest_of_text(f"{before}\n{part}"), initial=""))[1:]


def build_waves(images: Sequence[T], steps_of: Callable[[T], Sequence[str]]) -> tuple[tuple[T, ...], ...]:
    """Split images so that no step is run by two of a wave, and none that an earlier wave has run.

    For a builder that runs equal steps of builds side by side more than once. Each image comes in
    the wave after the first one that it shares most steps with.
    """
    placed = list(_placed(images, steps_of))
    count = max((wave for wave, _ in placed), default=-1) + 1
    return tuple(tuple(image for wave, image in placed if wave == number) for number in range(count))


def _placed(images: Sequence[T], steps_of: Callable[[T], Sequence[str]]) -> Iterator[tuple[int, T]]:
    ran: dict[str, int] = {}
    for image in images:
        steps = steps_of(image)
        shared = next((step for step in reversed(steps) if step in ran), None)
        wave = 0 if shared is None else ran[shared] + 1
        for step in steps:
            ran.setdefault(step, wave)
        yield wave, image
