"""A DeployPlan and a Canary in; the plan with a part of the traffic split off before the flip, out. Pure."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.canary import Canary
from chainctl.deploy.operations import Operation, Route, SplitRoute, StopService
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.errors import UsageError


def with_canary(plan: DeployPlan, canary: Canary, observed: ObservedState) -> DeployPlan:
    """Return the plan with a split before its flip; the same plan where nothing that runs has the traffic.

    Raises UsageError where an old service has to end before the new one starts: both must run.
    """
    operations: list[Operation] = []
    for operation in plan.operations:
        if isinstance(operation, Route):
            operations += _split(operation, operations, canary, observed)
        operations.append(operation)
    return replace(plan, operations=tuple(operations))


def _split(
    route: Route, earlier: list[Operation], canary: Canary, observed: ObservedState
) -> list[Operation]:
    old = observed.service(route.before) if route.before not in (None, route.service) else None
    if old is None or old.status is not ServiceStatus.RUNNING:
        return []
    ended = next((op for op in earlier if isinstance(op, StopService)), None)
    if ended is not None:
        raise UsageError(
            f"{ended.chainlet} can not be tried as a canary, as the old release has to end first: {ended.cause}",
            hint='push without `--canary`, or give it `strategy="replace"`.',
        )
    cause = f"a canary for {canary.seconds:g} s"
    counts = (route.replicas, route.before_replicas)
    return [SplitRoute(route.chain, route.service, old.name, canary.percent, cause, *counts)]
