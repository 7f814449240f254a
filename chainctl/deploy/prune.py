"""What a target has of a chain and what its last release needs, in; the plan to remove the rest, out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from chainctl.deploy.operations import Operation, RemoveFrontDoor, RemoveNetwork, StopService
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import Release
from chainctl.deploy.state import ObservedState, ServiceStatus


def plan_prune(observed: ObservedState, last: Release | None, *, is_warm_kept: bool = True) -> DeployPlan:
    """Remove services that the last release does not need and that do not run; `is_warm_kept` spares the others.

    What has traffic is never removed. Of a chain of which no release is recorded only what is left when
    nothing of it runs is removed: it may be somebody else's.
    """
    operations = list(_known(observed, last, is_warm_kept=is_warm_kept) if last else _unknown(observed))
    return DeployPlan(observed.chain, tuple(operations))


def _known(observed: ObservedState, last: Release, *, is_warm_kept: bool) -> Iterator[Operation]:
    wanted = {service.name for service in last.services}
    door = observed.front_door
    routed = {door.route, door.canary} if door else set()
    counts: dict[str, int] = {}
    for service in sorted(observed.services, key=lambda s: (s.name, -s.replica)):
        if service.name in wanted or service.name in routed:
            continue
        if service.status is ServiceStatus.RUNNING and is_warm_kept:
            continue
        counts[service.name] = counts.get(service.name, 0) + 1
        running = "it is kept warm" if service.status is ServiceStatus.RUNNING else f"it is {service.status}"
        cause = f"{running}, and the last release does not need it"
        yield StopService(observed.chain, service.name, service.chainlet, cause, replica=service.replica)


def _unknown(observed: ObservedState) -> Iterator[Operation]:
    if any(service.status is ServiceStatus.RUNNING for service in observed.services):
        return
    door = observed.front_door
    if door is not None and door.status is ServiceStatus.RUNNING:
        return
    cause = "nothing of the chain runs, and no release of it is recorded here"
    if door is not None:
        yield RemoveFrontDoor(observed.chain, cause)
    for service in sorted(observed.services, key=lambda s: (s.name, -s.replica)):
        yield StopService(observed.chain, service.name, service.chainlet, cause, replica=service.replica)
    if observed.has_network or observed.services or door is not None:
        yield RemoveNetwork(observed.chain, cause)
