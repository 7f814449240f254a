"""A service, a count and what runs of it in; the operations that lead there, out. Pure.

They are those of `chainctl scale`, for one service: several may be changed side by side. What an earlier change
left when it was cut off (a replica that was never ready, a door that leads to fewer) is a difference like any
other, so that the same plan repairs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainctl.deploy.operations import AwaitReady, Operation, Route, StartService, StopService
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState, ServiceStatus


def scaling_plan(
    service: ServiceSpec, wanted: int, observed: ObservedState, cause: str, *, is_entrypoint: bool
) -> DeployPlan:
    """Plan so many replicas of a service; 0 leaves none. Nothing to do where it is so."""
    spec = replace(service, replicas=max(wanted, 1))
    here = [s for s in observed.services if s.name == service.name and not s.intercepted_by]
    starts = [StartService(spec, cause, replica=n) for n in range(1, wanted + 1) if not _runs(here, n)]
    operations: list[Operation] = [*starts]
    operations += [AwaitReady(spec, cause, op.replica) for op in starts]
    if is_entrypoint and wanted:
        operations += _route(spec, wanted, observed.front_door, cause)
    operations += [
        StopService(
            service.chain, service.name, service.chainlet, cause, replica=one.replica, has_others=True
        )
        for one in sorted(here, key=lambda s: -s.replica)
        if one.replica > wanted
    ]
    return DeployPlan(service.chain, tuple(operations))


def running_counts(observed: ObservedState) -> dict[str, int]:
    """Return the number of the last replica that is ready of each service, by its name: how many there should be."""
    counts: dict[str, int] = {}
    for one in observed.services:
        if one.status is ServiceStatus.RUNNING and not one.intercepted_by:
            counts[one.name] = max(counts.get(one.name, 0), one.replica)
    return counts


def _runs(here: list[ObservedService], replica: int) -> bool:
    return any(one.replica == replica and one.status is ServiceStatus.RUNNING for one in here)


def _route(spec: ServiceSpec, wanted: int, door: ObservedDoor | None, cause: str) -> Iterator[Route]:
    before, spread = (door.route, door.replicas) if door else (None, 1)
    if door is not None and (before, spread) != (spec.name, wanted):
        yield Route(spec.chain, spec.name, cause, before, wanted, spread)
