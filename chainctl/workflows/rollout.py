"""A Release, the releases before it and a target in; the plan to bring it up, out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainctl.deploy.canary import Canary
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.recreation import needs_capacity
from chainctl.deploy.release import Release
from chainctl.deploy.renewal import needs_room
from chainctl.deploy.scale import as_running
from chainctl.deploy.state import ObservedState, desired_state
from chainctl.deploy.target import DeployTarget
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.placing import reconcile_placed


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a release takes over. `keep_warm` releases before it go on running, without traffic."""

    keep_warm: int = 0
    canary: Canary | None = None


def plan_rollout(
    release: Release,
    target: DeployTarget,
    last: Release | None,
    warm: frozenset[str] = frozenset(),
    edited: frozenset[str] = frozenset(),
    generation: int = 0,
    asked: frozenset[str] = frozenset(),
) -> tuple[DeployPlan, ObservedState]:
    """Compare a release with what runs. Raises EngineError, and DeployError where it finds no GPUs.

    `edited` names services that run other code than their images have; theirs is that of a `generation`.
    `asked` names chainlets whose count was asked for, so that it does not follow the load now.
    """
    observed = target.observe(release.chain)
    previous = last.services if last else ()
    desired = replace(
        desired_state(release), warm=warm, previous=previous, edited=edited, generation=generation
    )
    desired = as_running(desired, observed, asked)
    if needs_capacity(desired, observed) or needs_room(desired, observed):
        observed = replace(observed, capacity=target.capacity())
    return reconcile_placed(desired, observed, target), observed


def warm_names(ledger: Ledger, release: Release, count: int) -> frozenset[str]:
    """Return the services of the last releases before this one: `count` that differ from it and each other."""
    found: dict[str, Release] = {}
    for number in reversed(ledger.numbers(release.chain)) if count else ():
        older = ledger.load(release.chain, number).release
        if older.makeup != release.makeup:
            found.setdefault(older.makeup, older)
        if len(found) == count:
            break
    return frozenset(service.name for older in found.values() for service in older.services)


def released(record: Record | None) -> Release | None:
    return record.release if record else None
