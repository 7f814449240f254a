"""A Release and chainlets to restart in; the same images as services of other names, out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from chainctl.deploy.release import (
    Release,
    ServiceSpec,
    calls_digest,
    in_dependency_order,
    service_name,
)
from chainctl.deploy.scale import in_scale_of


def restarted(release: Release, chainlets: Collection[str]) -> Release:
    """Return a release in which these chainlets are started anew, and with them all that call them."""
    generations = generations_of(release)
    return in_generations(release, generations | {name: generations[name] + 1 for name in chainlets})


def carried_over(release: Release, last: Release | None) -> Release:
    """Return a release in the generations and the scale of the last one: a push of the same undoes neither."""
    return in_scale_of(in_generations(release, generations_of(last)), last) if last else release


def generations_of(release: Release) -> dict[str, int]:
    """Return how often each chainlet was restarted."""
    return {service.chainlet: service.fingerprint.generation for service in release.services}


def in_generations(release: Release, generations: Mapping[str, int]) -> Release:
    """Name the services of a release for generations of its chainlets, callees first."""
    named: dict[str, ServiceSpec] = {}
    for service in in_dependency_order(release.services):
        named[service.chainlet] = _named(service, generations.get(service.chainlet, 0), named)
    entrypoint = next(s.chainlet for s in release.services if s.name == release.entrypoint)
    services = tuple(named[service.chainlet] for service in release.services)
    return replace(release, services=services, entrypoint=named[entrypoint].name)


def _named(service: ServiceSpec, generation: int, named: Mapping[str, ServiceSpec]) -> ServiceSpec:
    calls = tuple(replace(call, service=named[call.chainlet].name) for call in service.calls)
    fingerprint = replace(
        service.fingerprint,
        calls=calls_digest(calls),
        generation=generation,
    )
    name = service_name(service.chain, service.chainlet, fingerprint)
    return replace(service, name=name, calls=calls, fingerprint=fingerprint)
