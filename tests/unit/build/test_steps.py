"""What is built first, so that no slow step is run twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.build.context import BuildContext, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.build.steps import build_waves, step_digests

STEPS = st.lists(st.sampled_from("xyz"), max_size=3)


def image(name: str, parts: str) -> ImagePlan:
    """An image with a step for each letter."""
    return ImagePlan(name, ImageRef(name, "1"), BuildContext(()), "base", steps=step_digests(parts))


def waves(*parts: str) -> list[list[int]]:
    """Numbers of the images of each wave."""
    images = [image(str(number), text) for number, text in enumerate(parts)]
    return [[int(i.chainlet) for i in wave] for wave in build_waves(images, lambda i: i.steps)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        (["x"], [[0]]),
        (["x", "y", "z"], [[0, 1, 2]]),
        (["x", "x", "x"], [[0], [1, 2]]),
        (["ax", "ay", "ay", "ax", "b"], [[0, 4], [1, 3], [2]]),
        (["", ""], [[0, 1]]),
    ],
)
def test_one_image_of_each_kind_goes_ahead(parts: list[str], expected: list[list[int]]) -> None:
    """The others follow; those that share nothing do not wait."""
    assert waves(*parts) == expected


@given(st.lists(STEPS, max_size=8))
def test_no_step_is_run_twice(parts: list[list[str]]) -> None:
    """Whatever is shared: no two images of a wave run the same step, and each image is built once."""
    images = list(enumerate(step_digests(steps) for steps in parts))
    found = build_waves(images, lambda numbered: numbered[1])
    ran: set[str] = set()
    for wave in found:
        new = [step for _, steps in wave for step in steps if step not in ran]
        assert len(new) == len(set(new))
        ran.update(new)
    assert sorted(image for wave in found for image in wave) == images


@given(STEPS, STEPS)
def test_steps_are_equal_as_long_as_all_before_are(one: list[str], two: list[str]) -> None:
    """A digest is over the step and all before it."""
    for number, (first, second) in enumerate(zip(step_digests(one), step_digests(two), strict=False), 1):
        assert (first == second) == (one[:number] == two[:number])
