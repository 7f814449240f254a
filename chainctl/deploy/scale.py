"""A Release and wanted counts of replicas in; the release with them, out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from chainctl.deploy.release import Release, Scaling, ServiceSpec
from chainctl.deploy.state import DesiredState, ObservedState, ServiceStatus


def scaled(release: Release, counts: Mapping[str, int]) -> Release:
    """Return a release that wants so many replicas of chainlets; those that are not named keep theirs."""
    services = (replace(s, replicas=counts.get(s.chainlet, s.replicas)) for s in release.services)
    return replace(release, services=tuple(services))


def in_scale_of(release: Release, last: Release | None) -> Release:
    """Return a release with the counts of the last one, but for what the chain file says anew.

    A count that was asked for by `scale` holds until the count in the file changes.
    """
    before = {service.chainlet: service for service in last.services} if last else {}
    services = (replace(s, replicas=_count(s, before.get(s.chainlet))) for s in release.services)
    return replace(release, services=tuple(services))


def bounds_text(scaling: Scaling) -> str:
    """Say how many replicas there may be."""
    if scaling.least == scaling.most:
        return f"{scaling.most} replica{'s' if scaling.most != 1 else ''}"
    return f"{scaling.least} to {scaling.most} replicas"


def sleeping(release: Release, observed: ObservedState) -> list[ServiceSpec]:
    """Return the services of a release of which there is nothing, as may be."""
    there = {service.name for service in observed.services}
    return [s for s in release.services if s.scaling and s.scaling.least == 0 and s.name not in there]


def as_running(desired: DesiredState, observed: ObservedState, asked: Collection[str] = ()) -> DesiredState:
    """Return what is wanted with as many replicas as there are now of what follows its load.

    Chainlets that were `asked` for in a number have that.

    A new service has as many as the one that it takes the place of; one that sleeps is woken, with as many as its
    file says, for a release serves only once it has been ready.
    """
    services = (s if s.chainlet in asked else _followed(s, observed) for s in desired.services)
    return replace(desired, services=tuple(services))


def _followed(service: ServiceSpec, observed: ObservedState) -> ServiceSpec:
    scaling = service.scaling
    if scaling is None:
        return service
    running = [s for s in observed.services if s.status is ServiceStatus.RUNNING and not s.intercepted_by]
    names = {s.name for s in running if s.chainlet == service.chainlet}
    counts = {name: sum(s.name == name for s in running) for name in names}
    now = counts.get(service.name) or max(counts.values(), default=0) or service.declared_replicas
    return replace(service, replicas=min(max(now, scaling.least, 1), scaling.most))


def _count(service: ServiceSpec, before: ServiceSpec | None) -> int:
    is_same = before is not None and before.declared_replicas == service.declared_replicas
    return before.replicas if before is not None and is_same else service.declared_replicas
