"""A Release and wanted counts of replicas in; the release with them, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chainctl.deploy.release import Release, ServiceSpec


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


def _count(service: ServiceSpec, before: ServiceSpec | None) -> int:
    is_same = before is not None and before.declared_replicas == service.declared_replicas
    return before.replicas if before is not None and is_same else service.declared_replicas
