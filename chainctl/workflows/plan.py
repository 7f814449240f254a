"""A Draft in; what a push would build and change, out. Builds nothing, touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.build.backend import BuildBackend
from chainctl.deploy.plan import DeployPlan, plan_text
from chainctl.deploy.target import DeployTarget
from chainctl.state.ledger import Record
from chainctl.workflows.draft import Draft
from chainctl.workflows.reasons import ExplainedImage, explain_images, image_lines
from chainctl.workflows.rollout import plan_rollout, released


@dataclass(frozen=True, slots=True)
class Preview:
    """What a push would do: images, each with why it is built, and operations."""

    images: tuple[ExplainedImage, ...]
    deploy: DeployPlan

    @property
    def has_changes(self) -> bool:
        return not all(one.is_reused for one in self.images) or not self.deploy.is_empty


def preview(
    draft: Draft,
    backend: BuildBackend,
    target: DeployTarget,
    last: Record | None,
    warm: frozenset[str] = frozenset(),
) -> Preview:
    """Compare a draft with what the engine has, and its images with those of the last release.

    `warm` names services of older releases that a push would leave running.
    """
    existing = backend.existing(image.ref for image in draft.images.images)
    plan, _ = plan_rollout(draft.release, target, released(last), warm)
    return Preview(explain_images(draft.images, existing, last), plan)


def preview_text(shown: Preview, *, is_full: bool = False) -> str:
    """Render a preview for people: images, then operations, then the total. `is_full` tells all reasons."""
    lines = image_lines(shown.images, "build", is_full=is_full)
    return "\n".join([*lines, plan_text(shown.deploy)])
