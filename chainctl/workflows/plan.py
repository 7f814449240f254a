"""A Draft in; what a push would build and change, out. Builds nothing, touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.build.backend import BuildBackend
from chainctl.build.context import ImageRef
from chainctl.build.plan import BuildPlan
from chainctl.deploy.plan import DeployPlan, plan_text
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.state import desired_state
from chainctl.deploy.target import DeployTarget
from chainctl.workflows.draft import Draft


@dataclass(frozen=True, slots=True)
class Preview:
    """What a push would do: images (those in `existing` are reused) and operations."""

    images: BuildPlan
    existing: frozenset[ImageRef]
    deploy: DeployPlan

    @property
    def has_changes(self) -> bool:
        return bool(self.images.missing(self.existing)) or not self.deploy.is_empty


def preview(draft: Draft, backend: BuildBackend, target: DeployTarget) -> Preview:
    """Compare a draft with what the engine has."""
    existing = backend.existing(image.ref for image in draft.images.images)
    observed = target.observe(draft.chain)
    return Preview(draft.images, existing, reconcile(desired_state(draft.release), observed))


def preview_text(shown: Preview) -> str:
    """Render a preview for people: images, then operations, then the total."""
    lines = []
    for image in shown.images.images:
        sign, what = ("=", "reuse") if image.ref in shown.existing else ("+", "build")
        lines.append(f"{sign} image {image.ref} ({image.chainlet}): {what}")
    return "\n".join([*lines, plan_text(shown.deploy)])
