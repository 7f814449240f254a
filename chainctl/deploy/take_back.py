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
)
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import in_dependency_order

_CAUSE = "the release failed"


def undoing(plan: DeployPlan, begun: Sequence[Operation], *, kept: str | None = None) -> list[Operation]:
    """Return what leads back: the traffic first, then new services go, then old ones that ended come again.

    Nothing once the route has flipped: then the new services have the traffic. The service named
    `kept` stays, as the evidence of why it failed.
    """
    if any(isinstance(op, Route) for op in begun):
        return []
    splits = [op for op in begun if isinstance(op, SplitRoute)]
    new = [op.service for op in begun if isinstance(op, StartService) and op.service.name != kept]
    return [
        *(Route(plan.chain, op.before, _CAUSE, op.service) for op in splits),
        *(StopService(plan.chain, s.name, s.chainlet, _CAUSE) for s in reversed(new)),
        *_restored(plan, begun),
    ]


def _restored(plan: DeployPlan, begun: Sequence[Operation]) -> list[Operation]:
    """Start again what made room, and route to it where it had the traffic."""
    ended = [op.restores for op in begun if isinstance(op, StopService) and op.restores]
    specs = in_dependency_order(ended)
    routed = {op.before for op in plan.operations if isinstance(op, Route)}
    return [
        *(StartService(spec, _CAUSE) for spec in specs),
        *(AwaitReady(spec, _CAUSE) for spec in specs),
        *(Route(plan.chain, spec.name, _CAUSE) for spec in specs if spec.name in routed),
    ]
