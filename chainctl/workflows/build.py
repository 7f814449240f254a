"""A BuildPlan in; its images on the target, and why each was built, out. Starts nothing, routes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from chainctl.build.backend import BuildBackend
from chainctl.build.plan import BuildPlan
from chainctl.events import Emit
from chainctl.state.ledger import Record
from chainctl.workflows.push import build_all
from chainctl.workflows.reasons import ExplainedImage, explain_images

Wanted = Mapping[str, Sequence[str]]


def build(
    plan: BuildPlan,
    backend: BuildBackend,
    last: Record | None,
    emit: Emit,
    clock: Callable[[], float],
    require: Callable[[Wanted], None] = lambda _: None,
) -> tuple[ExplainedImage, ...]:
    """Build the images that are missing. `last` is the release that they are compared with.

    `require` is asked for the secrets of these builds (name → who declares it) before any of them begins.
    Raises BuildError, EngineError (build again to go on), and what `require` raises.
    """
    explained = explain_images(plan, backend.existing(image.ref for image in plan.images), last)
    missing = [one for one in explained if not one.is_reused]
    require(_secrets(missing))
    build_all(missing, backend, emit, clock)
    return explained


def _secrets(images: Iterable[ExplainedImage]) -> Wanted:
    wanted: dict[str, list[str]] = {}
    for one in images:
        for name in one.image.secrets:
            wanted.setdefault(name, []).append(f"the build of {one.image.chainlet}")
    return wanted
