"""A Draft in; what a push would build and change, out. Builds nothing, touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainctl.build.backend import BuildBackend
from chainctl.deploy.compose_interfaces import compose_interfaces
from chainctl.deploy.interfaces import InterfaceReport, interface_changes, report_lines
from chainctl.deploy.plan import DeployPlan, plan_text
from chainctl.deploy.state import ObservedState
from chainctl.deploy.target import DeployTarget
from chainctl.state.ledger import Record
from chainctl.state.values import Action, Change
from chainctl.workflows.components import change_line
from chainctl.workflows.draft import Draft
from chainctl.workflows.placing import require_machine
from chainctl.workflows.reasons import ExplainedImage, explain_images, image_lines
from chainctl.workflows.rollout import plan_rollout, released


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job of a push that is neither an image nor a service: its line, and the same as a JSON object."""

    line: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a push would do: images, each with why it is built, and operations.

    `interfaces` is what changes for callers since the last release. `jobs` come before the operations.
    `observed` is what was compared with. `doubts` are what may fail and can not be known yet.
    """

    images: tuple[ExplainedImage, ...]
    deploy: DeployPlan
    observed: ObservedState
    interfaces: InterfaceReport = field(default_factory=InterfaceReport)
    jobs: tuple[PlannedJob, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        has_builds = not all(one.is_reused for one in self.images)
        return has_builds or bool(self.jobs) or not self.deploy.is_empty


def preview(
    draft: Draft,
    backend: BuildBackend,
    target: DeployTarget,
    last: Record | None,
    warm: frozenset[str] = frozenset(),
    components: Sequence[Change] = (),
    edited: frozenset[str] = frozenset(),
) -> Preview:
    """Compare a draft with what the engine has, and its images with those of the last release.

    `warm` names services of older releases that a push would leave running, `components` says what it
    would do with those of the file. `edited` names services that run other code than their images have.
    Raises ChainDefinitionError for what asks for more than the machine has.
    """
    doubts = require_machine(draft.graph, draft.release, target)
    existing = backend.existing(image.ref for image in draft.images.images)
    plan, observed = plan_rollout(draft.release, target, released(last), warm, edited)
    images = explain_images(draft.images, existing, last)
    jobs = tuple(_planned_job(change) for change in components if change.action is not Action.KEEP)
    return Preview(images, plan, observed, _interfaces(draft, last), jobs, doubts)


def _planned_job(change: Change) -> PlannedJob:
    value = {
        "component": change.key.component,
        "identifier": change.key.identifier,
        "action": str(change.action),
        "reason": change.reason,
        "jobs": list(change.jobs),
    }
    return PlannedJob(change_line(change), value)


def _interfaces(draft: Draft, last: Record | None) -> InterfaceReport:
    """A first release has no callers yet."""
    if last is None:
        return InterfaceReport()
    return interface_changes(last.interfaces, compose_interfaces(draft.graph))


def preview_text(shown: Preview, *, is_full: bool = False) -> str:
    """Render a preview for people: images, interfaces, jobs, operations, the total, what may fail.

    `is_full` tells all reasons of builds.
    """
    lines = image_lines(shown.images, "build", is_full=is_full)
    lines += report_lines(shown.interfaces)
    lines += [job.line for job in shown.jobs]
    lines += [plan_text(shown.deploy, len(shown.jobs)), *(f"may fail: {doubt}" for doubt in shown.doubts)]
    return "\n".join(lines)
