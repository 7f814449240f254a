"""Settings in; on every reachable target, what gc would remove or has removed, as text or JSON, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainctl.cli.console import Console, now
from chainctl.cli.settings import Settings
from chainctl.cli.sizes import size_text
from chainctl.cli.wiring import ledgers_beside, open_worlds
from chainctl.deploy.gc import GcPlan, Removal, RemoveImage, gc_line
from chainctl.workflows.gc import Collected, GcSettings, collect, gc_plan


@dataclass(frozen=True, slots=True)
class CollectedTarget:
    """What was planned on a target, and what was done, None when nothing was to be done."""

    target: str
    plan: GcPlan
    done: Collected | None


def collected_targets(
    settings: Settings, wanted: GcSettings, console: Console, *, is_done: bool
) -> list[CollectedTarget]:
    """Plan for every target that the settings allow; with `is_done` remove what is planned, too."""
    found = []
    for world in open_worlds(settings):
        kept = replace(wanted, others=ledgers_beside(world))
        plan = gc_plan(world.store, world.ledger, kept, now())
        if is_done and not plan.is_empty:
            console.line(f"{world.name}: {total_text(plan)}")
            done = collect(plan, world.store, world.ledger, kept, console.emit, now)
            found.append(CollectedTarget(world.name, plan, done))
        else:
            found.append(CollectedTarget(world.name, plan, None))
    return found


def gc_text(targets: Sequence[CollectedTarget]) -> str:
    """Render what goes or went, target by target: lines, then the total."""
    return "\n".join(line for one in targets for line in _lines(one))


def total_text(plan: GcPlan) -> str:
    """The last line of a plan: how many go and stay, and what that frees."""
    images = sum(isinstance(removal, RemoveImage) for removal in plan.removals)
    others = len(plan.removals) - images
    counts = [f"{images} image{'s' if images != 1 else ''}"]
    counts += [f"{others} leftover{'s' if others != 1 else ''}"] if others else []
    return f"{' and '.join(counts)} to remove, {len(plan.kept)} kept, at least {size_text(plan.least_bytes)} free"


def gc_json(targets: Sequence[CollectedTarget]) -> list[dict[str, Any]]:
    """Describe what goes or went as JSON values."""
    return [
        {
            "target": one.target,
            "removals": [_removal_json(removal) for removal in one.plan.removals],
            "kept": [{"image": k.image.own_name or k.image.id, "cause": k.cause} for k in one.plan.kept],
            "least_bytes": one.plan.least_bytes,
            "removed": None if one.done is None else [_removal_json(r)["id"] for r in one.done.removals],
            "freed_bytes": one.done.freed_bytes if one.done else None,
        }
        for one in targets
    ]


def _lines(one: CollectedTarget) -> list[str]:
    if one.plan.is_empty:
        return [f"{one.target}: nothing to remove, {len(one.plan.kept)} kept"]
    if one.done is None:
        return [*map(gc_line, one.plan.removals), f"{one.target}: {total_text(one.plan)}"]
    freed = f", {size_text(one.done.freed_bytes)} freed" if one.done.freed_bytes is not None else ""
    return [f"{one.target}: {len(one.done.removals)} removed{freed}"]


def _removal_json(removal: Removal) -> dict[str, Any]:
    if isinstance(removal, RemoveImage):
        image = removal.image
        return {"kind": "image", "id": image.id, "name": image.own_name, "cause": removal.cause}
    left = removal.leftover
    return {"kind": "leftover", "id": left.id, "name": left.name, "cause": removal.cause}
