"""Services to start and those they follow in; which of those have to end first, and why, out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chainctl.deploy.operations import StartService, StopService
from chainctl.deploy.release import ServiceSpec, Strategy
from chainctl.deploy.sizes import shown_bytes
from chainctl.deploy.state import Capacity, DesiredState, ObservedService, ObservedState, ServiceStatus


@dataclass(frozen=True, slots=True)
class Recreation:
    """One chainlet whose service ends before the next one starts; `old` are its services that run."""

    chainlet: str
    old: tuple[ObservedService, ...]
    reason: str


def recreations(
    desired: DesiredState, observed: ObservedState, starts: Iterable[StartService]
) -> dict[str, Recreation]:
    """Return those chainlets, by name, of which the old service has to end first.

    Where that is not asked for but only follows from a lack of room, an old service that nobody could
    start again is left to run.
    """
    known = {service.name for service in desired.previous}
    found = {}
    for service in (start.service for start in starts):
        old = tuple(older_ones(service, observed))
        asked = service.strategy is Strategy.RECREATE
        reason = "its strategy is recreate" if asked else _lack(service, observed.capacity)
        if old and reason and (asked or known.issuperset(one.name for one in old)):
            found[service.chainlet] = Recreation(service.chainlet, old, reason)
    return found


def older_ones(service: ServiceSpec, observed: ObservedState) -> Iterator[ObservedService]:
    """Yield the services of the same chainlet that run under another name."""
    for one in observed.services:
        is_other = one.chainlet == service.chainlet and one.name != service.name
        if is_other and not one.intercepted_by and one.status is ServiceStatus.RUNNING:
            yield one


def needs_capacity(desired: DesiredState, observed: ObservedState) -> bool:
    """Say whether it matters how much room there is: where a service may have to end before the next."""
    return any(
        service.strategy is None and observed.service(service.name) is None
        for service in desired.services
        for _ in older_ones(service, observed)
    )


def first_stops(
    desired: DesiredState, ordered: Iterable[ObservedService], found: Mapping[str, Recreation]
) -> Iterator[StopService]:
    """Yield the stops of old services that make room, in the order given."""
    specs = {service.name: service for service in desired.previous}
    for one in ordered:
        recreation = found.get(one.chainlet)
        if recreation is not None and one in recreation.old:
            cause = f"ended before its successor starts: {recreation.reason}"
            restores = specs.get(one.name)
            yield StopService(desired.chain, one.name, one.chainlet, cause, restores, one.replica)


def after_recreation(services: Iterable[ServiceSpec], chainlets: Collection[str]) -> set[str]:
    """Return the names of services that wait for the recreated ones: those, and all that call them."""
    late: set[str] = set()
    for service in services:  # callees first
        if service.chainlet in chainlets or any(call.service in late for call in service.calls):
            late.add(service.name)
    return late


def _lack(service: ServiceSpec, capacity: Capacity) -> str:
    """Say of what there is enough for one of a service and not for two, "" where they may or must be beside."""
    if service.strategy is Strategy.REPLACE:
        return ""
    if service.chainlet in capacity.crowded:
        return "its GPUs are not there twice"
    wanted, count = service.resources, service.replicas
    two = "two of it" if count == 1 else f"two times {count} replicas"
    memory = count * wanted.memory_bytes
    if _holds_only_one(memory, capacity.memory_bytes):
        return (
            f"{two} need {shown_bytes(2 * memory)} of memory,"
            f" there are {shown_bytes(capacity.memory_bytes or 0)}"
        )
    gpus = count * wanted.gpu.count if wanted.gpu and not wanted.gpu.memory_bytes else 0
    if gpus and _holds_only_one(gpus, capacity.gpus):
        return f"{two} need {2 * gpus} GPUs, there {_are(capacity.gpus or 0)}"
    return ""


def _holds_only_one(wanted: int, there: int | None) -> bool:
    return there is not None and wanted <= there < 2 * wanted


def _are(count: int) -> str:
    return f"is {count}" if count == 1 else f"are {count}"
