"""What was decided in; what a push would do, as text and as a value, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainctl.cli.console import Console
from chainctl.cli.deploy_json import interfaces_json, operations_json
from chainctl.cli.image_json import images_json
from chainctl.cli.imaging import LoadedChain, images_of
from chainctl.cli.plan_files import write_plan_file
from chainctl.cli.wiring import recorded_ledger
from chainctl.cli.worlds import World
from chainctl.deploy.plan import line_of, total_of
from chainctl.state.values import Change
from chainctl.workflows.draft import Draft
from chainctl.workflows.plan import preview, preview_text
from chainctl.workflows.plan_file import plan_file
from chainctl.workflows.reasons import explain_offline, image_lines
from chainctl.workflows.rollout import warm_names


@dataclass(frozen=True, slots=True)
class Shown:
    """What is printed, in both forms, and whether there is something to do."""

    text: str
    value: dict[str, Any]
    has_changes: bool


def plan_push(
    draft: Draft,
    world: World,
    *,
    is_full: bool,
    keep_warm: int = 0,
    out: Path | None = None,
    components: Sequence[Change] = (),
    held: Sequence[tuple[str, str]] = (),
) -> Shown:
    """Compare a draft with what runs, and its images with those of the last release; write a plan file to `out`.

    `held` is what the plan file says of components.
    """
    last = world.ledger.latest(draft.chain)
    warm = warm_names(world.ledger, draft.release, keep_warm)
    shown = preview(
        draft, world.backend, world.target, last, warm, components, world.ledger.edited(draft.chain)
    )
    value = {
        "chain": draft.chain,
        "target": world.name,
        "compared_with": last.number if last else None,
        "images": images_json(shown.images, "build"),
        "interfaces": interfaces_json(shown.interfaces),
        "jobs": [dict(job.value) for job in shown.jobs],
        "operations": [line_of(operation) for operation in shown.deploy.operations],
        "steps": operations_json(shown.deploy),
        "kept": [service for service, _ in shown.deploy.kept],
        "warm": [service for service, _ in shown.deploy.warm],
        "doubts": list(shown.doubts),
        "total": total_of(shown.deploy, len(shown.jobs)),
        "has_changes": shown.has_changes,
    }
    if out is not None:
        made = plan_file(draft, world.name, shown.observed, last, value, warm, held)
        write_plan_file(out, made)
    return Shown(preview_text(shown, is_full=is_full), value, shown.has_changes)


def plan_offline(loaded: LoadedChain, console: Console, *, is_locked: bool | None, is_full: bool) -> Shown:
    """Compare a chain's images with those of the last release; what runs is not looked at."""
    where, ledger = recorded_ledger(loaded.chain, loaded.settings)
    last = ledger.latest(loaded.chain)
    _, wanted = images_of(loaded, console, loaded.settings.on(where).kind, None, is_locked=is_locked)
    images = explain_offline(wanted, last)
    has_changes = not all(one.is_reused for one in images)
    value = {
        "chain": loaded.chain,
        "target": where,
        "compared_with": last.number if last else None,
        "images": images_json(images, "build"),
        "has_changes": has_changes,
    }
    return Shown("\n".join(image_lines(images, "build", is_full=is_full)), value, has_changes)
