"""Services and what runs of them in; which replicas have older secrets or code, and their renewal, out. Pure.

A rotated secret is no other service, nor is one that is edited while it is watched: its callers go on calling
the same name. One more replica, as it is wanted, stands in while each of the others ends and starts again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from chainctl.deploy.operations import AwaitReady, Operation, Route, StartService, StopService
from chainctl.deploy.release import ServiceSpec, Strategy, in_dependency_order
from chainctl.deploy.sizes import shown_bytes
from chainctl.deploy.state import Capacity, DesiredState, ObservedService, ObservedState, ServiceStatus

_RUNNING = ServiceStatus.RUNNING


@dataclass(frozen=True, slots=True)
class Renewal:
    """A service some of whose replicas, `stale`, run with older values of its secrets, or with other code.

    `cause` says which. `in_place` says why no other replica can stand in meanwhile, "" where one does:
    the one after the last, which `is_there` where an earlier renewal was cut off.
    """

    service: ServiceSpec
    stale: tuple[int, ...]
    cause: str
    in_place: str = ""
    is_there: bool = False

    @property
    def stand_in(self) -> int:
        """Return the number of the replica that stands in."""
        return self.service.replicas + 1


def renewals(desired: DesiredState, observed: ObservedState) -> list[Renewal]:
    """Return the services with replicas that are otherwise than wanted, under the right name."""
    return [
        Renewal(
            service,
            stale,
            _cause(service, desired, observed),
            _lack(service, observed.capacity),
            _stands_in(service, observed),
        )
        for service in desired.services
        if (stale := tuple(_stale(service, observed, desired.edited)))
    ]


def needs_room(desired: DesiredState, observed: ObservedState) -> bool:
    """Say whether it matters for a renewal how much room there is."""
    return any(
        service.strategy is None and any(_stale(service, observed, desired.edited))
        for service in desired.services
    )


def stand_ins(found: Iterable[Renewal], observed: ObservedState) -> Iterator[StartService | StopService]:
    """Yield the starts of what stands in; one that has older values itself ends before."""
    for one in found:
        if one.in_place or one.is_there:
            continue
        old = observed.replica(one.service.name, one.stand_in)
        if old is not None and old.status is _RUNNING:
            yield _stop(one, one.stand_in, one.cause)
        cause = f"stands in while others are renewed: {one.cause}"
        yield StartService(one.service, cause, replica=one.stand_in)


def rolling(found: Iterable[Renewal]) -> Iterator[StartService | AwaitReady]:
    """Yield what has a target that rolls replace all replicas of services, one service after another."""
    for one in found:
        yield StartService(one.service, one.cause, renews=True)
        yield from (
            AwaitReady(one.service, "it is renewed", replica)
            for replica in range(1, one.service.replicas + 1)
        )


def renewing(
    found: Iterable[Renewal], desired: DesiredState, before: tuple[str | None, int]
) -> Iterator[Operation]:
    """Yield what renews replicas one by one once the stand-ins are ready, which go last.

    The door leads to the entrypoint's as well, meanwhile. `before` is where it leads, over how many replicas.
    With other code callers go before those whom they call: an old one goes on calling old ones.
    """
    for one in _callers_first(found, desired) if desired.generation else found:
        service, count = one.service, one.service.replicas
        is_entrypoint = service.name == desired.entrypoint and not one.in_place
        if is_entrypoint:
            route, spread = before
            cause = "one stands in while others are renewed"
            yield Route(desired.chain, service.name, cause, route, one.stand_in, spread)
        for replica in one.stale:
            cause = f"{one.cause}; {one.in_place}" if one.in_place else one.cause
            yield _stop(one, replica, cause)
            yield StartService(service, one.cause, replica=replica)
            yield AwaitReady(service, "it is renewed", replica)
        if is_entrypoint:
            yield Route(desired.chain, service.name, "all are renewed", service.name, count, one.stand_in)
        if not one.in_place:
            yield _stop(one, one.stand_in, "all are renewed")


def _callers_first(found: Iterable[Renewal], desired: DesiredState) -> list[Renewal]:
    by_name = {one.service.name: one for one in found}
    ordered = in_dependency_order(desired.services)
    return [by_name[service.name] for service in reversed(ordered) if service.name in by_name]


def _stale(service: ServiceSpec, observed: ObservedState, edited: Collection[str]) -> Iterator[int]:
    for replica in range(1, service.replicas + 1):
        there = observed.replica(service.name, replica)
        is_running = there is not None and there.status is _RUNNING
        if there is not None and is_running and (service.name in edited or not _is_as_wanted(there, service)):
            yield replica


def _stands_in(service: ServiceSpec, observed: ObservedState) -> bool:
    there = observed.replica(service.name, service.replicas + 1)
    return there is not None and there.status is _RUNNING and _is_as_wanted(there, service)


def _is_as_wanted(there: ObservedService, service: ServiceSpec) -> bool:
    """Compare what a name does not cover: values of secrets, and the image of one that was renewed for an edit."""
    return (there.secrets, there.image) == (service.secrets_digest, service.image)


def _stop(renewal: Renewal, replica: int, cause: str) -> StopService:
    service = renewal.service
    has_others = not renewal.in_place or service.replicas > 1
    return StopService(
        service.chain, service.name, service.chainlet, cause, replica=replica, has_others=has_others
    )


def _cause(service: ServiceSpec, desired: DesiredState, observed: ObservedState) -> str:
    """Say that its code was edited; else name the secrets that have another value, as far as that is known."""
    there = observed.service(service.name)
    if service.name in desired.edited or (there is not None and there.image != service.image):
        return "its code was edited"
    older = next((s for s in desired.previous if s.name == service.name), None)
    names = rotated_secrets(service, older)
    many = "s" if len(names) > 1 else ""
    return f"secret{many} {', '.join(names)} rotated" if names else "its secrets were rotated"


def rotated_secrets(service: ServiceSpec, older: ServiceSpec | None) -> tuple[str, ...]:
    """Name the secrets that both have, with other values."""
    known = {secret.name: secret.fingerprint for secret in older.secrets} if older else {}
    return tuple(s.name for s in service.secrets if known.get(s.name, s.fingerprint) != s.fingerprint)


def _lack(service: ServiceSpec, capacity: Capacity) -> str:
    """Say why one more replica can not run beside the others, "" where it may."""
    if service.strategy is not None:
        return "its strategy is recreate" if service.strategy is Strategy.RECREATE else ""
    if service.chainlet in capacity.crowded:
        return "there is no GPU for one more of it"
    wanted, count = service.resources, service.replicas + 1
    memory = count * wanted.memory_bytes
    if capacity.memory_bytes is not None and memory > capacity.memory_bytes:
        there = shown_bytes(capacity.memory_bytes)
        return f"{count} of it need {shown_bytes(memory)} of memory, there are {there}"
    gpus = count * wanted.gpu.count if wanted.gpu and not wanted.gpu.memory_bytes else 0
    if capacity.gpus is not None and gpus > capacity.gpus:
        return f"{count} of it need {gpus} GPUs, there are {capacity.gpus}"
    return ""
