"""Images, those that exist, and the last release in; what happens to each image, and why, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainctl.build.context import ImageRef
from chainctl.build.differences import Circumstance, Reason, differences, reason_text, summary
from chainctl.build.plan import BuildPlan, ImagePlan
from chainctl.state.ledger import Record


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """One image of a plan. `reasons` say why it is to be built; there are none where it is reused."""

    image: ImagePlan
    reasons: tuple[Reason, ...]

    @property
    def is_reused(self) -> bool:
        return not self.reasons

    @property
    def replaces(self) -> bool:
        """Say whether the last release had another image of this chainlet."""
        return any(reason not in _ALONE for reason in self.reasons)


_ALONE = (Circumstance.FIRST, Circumstance.NEW, Circumstance.GONE)


def explain_images(
    plan: BuildPlan, existing: frozenset[ImageRef], last: Record | None
) -> tuple[ExplainedImage, ...]:
    """Say of each image whether it is there, and if not, what has changed since the last release."""
    return tuple(
        ExplainedImage(image, () if image.ref in existing else _reasons(image, last)) for image in plan.images
    )


def explain_offline(plan: BuildPlan, last: Record | None) -> tuple[ExplainedImage, ...]:
    """Say the same without an engine: the images of the last release are taken to be there, and no others."""
    released = {service.image for service in last.release.services} if last else frozenset[str]()
    return explain_images(plan, frozenset(i.ref for i in plan.images if str(i.ref) in released), last)


def _reasons(image: ImagePlan, last: Record | None) -> tuple[Reason, ...]:
    if last is None:
        return (Circumstance.FIRST,)
    released = {service.chainlet: service.image for service in last.release.services}
    if image.chainlet not in released:
        return (Circumstance.NEW,)
    if released[image.chainlet] == str(image.ref):
        return (Circumstance.GONE,)
    before = last.inputs.image(image.chainlet)
    return (differences(before, image.inputs) if before else ()) or (Circumstance.UNRECORDED,)


def image_lines(explained: Sequence[ExplainedImage], doing: str, *, is_full: bool) -> list[str]:
    """One line an image: a sign, its name, what happens, why; with `is_full` every reason on a line below.

    `doing` is the word for what happens to those that are not reused: "build" in a plan.
    """
    return [line for one in explained for line in _lines(one, doing, is_full=is_full)]


def _lines(one: ExplainedImage, doing: str, *, is_full: bool) -> Iterator[str]:
    name = f"image {one.image.ref} ({one.image.chainlet})"
    if one.is_reused:
        yield f"= {name}: reuse"
        return
    told = doing if is_full else f"{doing}, {summary(one.reasons)}"
    yield f"{'~' if one.replaces else '+'} {name}: {told}"
    if is_full:
        yield from (f"    {reason_text(reason)}" for reason in one.reasons)
