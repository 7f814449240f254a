"""A service and what runs of it in; which of its replicas start, stop and get traffic out. Pure."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from chainctl.deploy.operations import StartService, StopService
from chainctl.deploy.release import ServiceSpec, replica_name
from chainctl.deploy.state import DesiredState, ObservedDoor, ObservedService, ObservedState, ServiceStatus

LEAVE_SIGNAL = signal.SIGWINCH
"""Tells a service that it takes no more calls; a process that knows nothing of it ignores it."""
LEAVE_SEC = 1.5
"""How long callers are given to notice: they look about twice a second."""


def replica_starts(service: ServiceSpec, first: StartService) -> Iterator[StartService]:
    """Yield the start of a new service, then those of its further replicas."""
    yield first
    for replica in range(2, service.replicas + 1):
        yield StartService(service, _wanted(service.replicas), replica=replica)


def missing_replicas(service: ServiceSpec, observed: ObservedState) -> Iterator[StartService]:
    """Yield the starts of those replicas of a service that are not there, or do not run."""
    for replica in range(1, service.replicas + 1):
        there = observed.replica(service.name, replica)
        if there is None:
            yield StartService(service, _wanted(service.replicas), replica=replica)
        elif there.status is not ServiceStatus.RUNNING:
            yield StartService(service, f"it is {there.status}", replica=replica)


def as_replica(service: ServiceSpec, replica: int) -> ServiceSpec:
    """Return a service under the name of one of its replicas, for what is kept of each."""
    return replace(service, name=replica_name(service.name, replica))


def surplus_stops(
    desired: DesiredState, ordered: Iterable[ObservedService], ended: Collection[tuple[str, int]] = ()
) -> Iterator[StopService]:
    """Yield the stops of replicas beyond the wanted count, in the order given, but of those that end already."""
    counts = {service.name: service.replicas for service in desired.services}
    for one in ordered:
        count = counts.get(one.name, one.replica)
        if one.replica > count and not one.intercepted_by and (one.name, one.replica) not in ended:
            yield StopService(
                desired.chain, one.name, one.chainlet, _wanted(count), replica=one.replica, has_others=True
            )


def ended_intercepts(observed: ObservedState) -> Iterator[StopService]:
    """Yield the ends of what stands in for chainlets on developers' machines: before anything else changes."""
    for one in sorted(observed.services, key=lambda s: s.name):
        if one.intercepted_by:
            yield StopService(
                observed.chain,
                one.name,
                one.chainlet,
                f"it was intercepted by {one.intercepted_by}",
                replica=one.replica,
                has_others=True,
            )


def entrypoint_replicas(desired: DesiredState) -> int:
    """Return how many replicas of the entrypoint are wanted."""
    return next((s.replicas for s in desired.services if s.name == desired.entrypoint), 1)


def slept(service: str, desired: DesiredState) -> bool:
    """Say whether a service of which there is nothing is one that was released, and may sleep."""
    older = next((s for s in desired.previous if s.name == service), None)
    return older is not None and older.scaling is not None and older.scaling.least == 0


def spread_cause(desired: DesiredState, door: ObservedDoor) -> str:
    """Say why a door that leads to the right service has to be flipped all the same, "" where it has not."""
    if door.canary is not None:
        return f"{door.canary} had a part of the traffic"
    count = entrypoint_replicas(desired)
    return _wanted(count) if door.replicas != count else ""


def _wanted(count: int) -> str:
    return f"{count} are wanted" if count != 1 else "1 is wanted"
