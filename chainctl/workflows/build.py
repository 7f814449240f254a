"""A BuildPlan in; its images on the target, and why each was built, out. Starts nothing, routes nothing."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.build.backend import BuildBackend
from chainctl.build.plan import BuildPlan
from chainctl.events import Emit
from chainctl.state.ledger import Record
from chainctl.workflows.push import build_all
from chainctl.workflows.reasons import ExplainedImage, explain_images


def build(
    plan: BuildPlan, backend: BuildBackend, last: Record | None, emit: Emit, clock: Callable[[], float]
) -> tuple[ExplainedImage, ...]:
    """Build the images that are missing. `last` is the release that they are compared with.

    Raises BuildError, EngineError (build again to go on).
    """
    explained = explain_images(plan, backend.existing(image.ref for image in plan.images), last)
    build_all([one for one in explained if not one.is_reused], backend, emit, clock)
    return explained
