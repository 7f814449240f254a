"""A DeployPlan and what was begun of it in; the operations that undo it out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from chainctl.deploy.operations import (
    AwaitReady,
    Operation,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import in_dependency_order, replica_name

_CAUSE = "the release failed"


def undoing(plan: DeployPlan, begun: Sequence[Operation], *, kept: str | None = None) -> list[Operation]:
    """Return what leads back: the traffic first, then new services go, then old ones that ended come again.

    Nothing once the route has flipped, callers have turned, or a replica ends whose calls others take: then the
    new ones have the traffic. The replica named `kept` stays, as the evidence of why it failed. What renews a
    service while it serves is taken back by the target.
    """
    if any(_is_for_good(op) for op in begun):
        return []
    splits = [op for op in begun if isinstance(op, SplitRoute)]
    new = [op for op in begun if isinstance(op, StartService) and _name(op) != kept and not op.renews]
    return [
        *(Route(plan.chain, op.before, _CAUSE, op.service, op.before_replicas, op.replicas) for op in splits),
        *(_stop(plan, op) for op in reversed(new)),
        *_restored(plan, begun),
    ]


def _is_for_good(operation: Operation) -> bool:
    if isinstance(operation, StopService):
        return operation.has_others
    return isinstance(operation, Route | TurnCallers)


def _restored(plan: DeployPlan, begun: Sequence[Operation]) -> list[Operation]:
    """Start again what made room, and route to it where it had the traffic."""
    ended = [op for op in begun if isinstance(op, StopService) and op.restores]
    specs = in_dependency_order(op.restores for op in ended if op.restores)
    routed = {op.before for op in plan.operations if isinstance(op, Route)}
    stopped = sorted(ended, key=lambda op: op.replica)
    again = [(s, op.replica, op.devices) for s in specs for op in stopped if op.service == s.name]
    return [
        *(StartService(spec, _CAUSE, replica=number, devices=had) for spec, number, had in again),
        *(AwaitReady(spec, _CAUSE, number) for spec, number, _ in again),
        *(
            Route(plan.chain, spec.name, _CAUSE, replicas=sum(s is spec for s, _, _ in again))
            for spec in specs
            if spec.name in routed
        ),
    ]


def _stop(plan: DeployPlan, start: StartService) -> StopService:
    service = start.service
    return StopService(plan.chain, service.name, service.chainlet, _CAUSE, replica=start.replica)


def _name(start: StartService) -> str:
    return replica_name(start.service.name, start.replica)
