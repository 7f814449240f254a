"""DesiredState and ObservedState in; the DeployPlan between them out. Pure: a set difference and one flip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chainctl.deploy.causes import causes
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.recreation import Recreation, after_recreation, first_stops, recreations
from chainctl.deploy.release import INTERCEPT_REPLICA, ServiceSpec, in_dependency_order
from chainctl.deploy.renewal import Renewal, renewals, renewing, rolling, stand_ins
from chainctl.deploy.replication import (
    ended_intercepts,
    entrypoint_replicas,
    missing_replicas,
    replica_starts,
    slept,
    spread_cause,
    surplus_stops,
)
from chainctl.deploy.state import DesiredState, ObservedService, ObservedState, ServiceStatus

_RUNNING = ServiceStatus.RUNNING


def reconcile(desired: DesiredState, observed: ObservedState) -> DeployPlan:
    """Plan how what runs becomes what is wanted.

    New services come up beside the old ones and are awaited in dependency order before the one
    route flips; what nobody wants any more goes last. Nothing that is as wanted is touched.
    """
    if desired.entrypoint is None:
        return DeployPlan(desired.chain, tuple(_removal(observed)))
    starts = list(_starts(desired, observed))
    renewed = renewals(desired, observed)
    recreated = recreations(desired, observed, starts)
    operations: list[Operation] = [*ended_intercepts(observed)]
    if not observed.has_network:
        operations.append(EnsureNetwork(desired.chain, "the chain has no network yet"))
    operations += _changes(desired, observed, starts, recreated)
    operations += rolling(renewed) if observed.rolls else _standing_in(renewed, observed)
    operations += _front_door(desired, observed)
    if not observed.rolls:
        operations += _turning(renewed, desired)
        operations += renewing(renewed, desired, _route_after(operations, observed))
    warm = _warm(desired, observed, recreated)
    ended = {
        op.service for op in operations if isinstance(op, StopService) and op.replica != INTERCEPT_REPLICA
    }
    operations += [op for op in _stops(desired, observed) if op.service not in ended | warm.keys()]
    standing = {(one.service.name, one.stand_in) for one in renewed if not one.in_place}
    operations += surplus_stops(desired, _newest_first(observed), standing)
    started = {op.service.name for op in starts if op.replica == 1}
    started |= {one.service.name for one in renewed}
    kept = [(s.name, s.chainlet) for s in desired.services if s.name not in started]
    counts = sorted((s.name, s.replicas) for s in desired.services if s.replicas > 1)
    return DeployPlan(
        desired.chain,
        tuple(operations),
        tuple(sorted(kept)),
        tuple(sorted(warm.items())),
        tuple(counts),
        tuple(one.service.name for one in renewed),
    )


def _changes(
    desired: DesiredState,
    observed: ObservedState,
    starts: Sequence[StartService],
    recreated: Mapping[str, Recreation],
) -> Iterator[Operation]:
    """Start and await services; what waits for a recreated one comes after all others are ready.

    So the time without it is as short as can be, and a failure of another one costs nothing.
    """
    late = after_recreation((op.service for op in starts), recreated)
    yield from _started_and_ready([op for op in starts if op.service.name not in late])
    yield from first_stops(desired, _newest_first(observed), recreated)
    yield from _started_and_ready([op for op in starts if op.service.name in late])


def _standing_in(renewed: Sequence[Renewal], observed: ObservedState) -> Iterator[Operation]:
    """Have all stand-ins ready before any traffic flips: values that are wrong show here, and cost nothing."""
    operations = list(stand_ins(renewed, observed))
    yield from operations
    for op in operations:
        if isinstance(op, StartService):
            yield AwaitReady(op.service, "others are renewed then", op.replica)


def _turning(renewed: Sequence[Renewal], desired: DesiredState) -> Iterator[TurnCallers]:
    """Have callers turn where what is renewed has other code, before the first of the old ones ends.

    The entrypoint's are not turned: who comes from outside comes to any of it.
    """
    names = tuple(one.service.name for one in renewed if not one.in_place)
    if desired.generation and renewed:
        yield TurnCallers(desired.chain, desired.generation, names, "no request is to meet both")


def _route_after(operations: Sequence[Operation], observed: ObservedState) -> tuple[str | None, int]:
    """Return where the door leads by then, and over how many replicas."""
    for op in operations:
        if isinstance(op, Route):
            return op.service, op.replicas
    door = observed.front_door
    return (door.route, door.replicas) if door else (None, 1)


def _started_and_ready(starts: Sequence[StartService]) -> Iterator[Operation]:
    yield from starts
    yield from (AwaitReady(op.service, "traffic waits for it", op.replica) for op in starts)


def _warm(
    desired: DesiredState, observed: ObservedState, recreated: Mapping[str, Recreation]
) -> dict[str, str]:
    """Return the services, with their chainlets, that stay though the release does not have them."""
    wanted = {service.name for service in desired.services}
    return {
        s.name: s.chainlet
        for s in observed.services
        if s.name in desired.warm - wanted and s.status is _RUNNING and s.chainlet not in recreated
    }


def _starts(desired: DesiredState, observed: ObservedState) -> Iterator[StartService]:
    for service in in_dependency_order(desired.services):
        if observed.service(service.name) is None:
            yield from replica_starts(service, _new(service, observed, desired))
        else:
            yield from missing_replicas(service, observed)


def _new(service: ServiceSpec, observed: ObservedState, desired: DesiredState) -> StartService:
    there = [s for s in observed.services if s.chainlet == service.chainlet and not s.intercepted_by]
    if not there:
        return StartService(service, "it was asleep" if slept(service.name, desired) else "new chainlet")
    old = max(there, key=lambda s: (s.status is _RUNNING, s.since, s.name))
    older = next((s for s in desired.previous if s.name == old.name), None)
    cause = " and ".join(causes(service, old.fingerprint, older)) or "it was released anew"
    return StartService(service, cause, replaces=None if old.name in desired.warm else old.name)


def _front_door(desired: DesiredState, observed: ObservedState) -> Iterator[Operation]:
    assert desired.entrypoint is not None
    assert desired.front_door is not None
    door = observed.front_door
    if door is None:
        yield EnsureFrontDoor(desired.chain, desired.front_door, "the chain has no address yet")
    elif door.digest != desired.front_door.digest:
        yield EnsureFrontDoor(desired.chain, desired.front_door, "its settings changed", replaces=True)
    elif door.status is not _RUNNING:
        yield EnsureFrontDoor(desired.chain, desired.front_door, f"it is {door.status}")
    before, spread = (door.route, door.replicas) if door else (None, 1)
    cause = spread_cause(desired, door) if door else ""
    if before != desired.entrypoint:
        cause = "first release" if before is None else "the entrypoint was replaced"
        cause = (
            "the entrypoint was asleep" if before is None and slept(desired.entrypoint, desired) else cause
        )
    if cause:
        count = entrypoint_replicas(desired)
        yield Route(desired.chain, desired.entrypoint, cause, before, count, spread)


def _stops(desired: DesiredState, observed: ObservedState) -> Iterator[StopService]:
    """Callers go before what they call, as far as the order can still be told: by time of start."""
    wanted = {service.name for service in desired.services}
    chainlets = {service.chainlet for service in desired.services}
    for service in _newest_first(observed):
        if service.name not in wanted and not service.intercepted_by:
            cause = "replaced" if service.chainlet in chainlets else "no longer in the chain"
            yield StopService(desired.chain, service.name, service.chainlet, cause, replica=service.replica)


def _removal(observed: ObservedState) -> Iterator[Operation]:
    chain, cause = observed.chain, "the chain is taken down"
    if observed.front_door is not None:
        yield RemoveFrontDoor(chain, cause)
    for service in _newest_first(observed):
        yield StopService(chain, service.name, service.chainlet, cause, replica=service.replica)
    if observed.has_network:
        yield RemoveNetwork(chain, cause)


def _newest_first(observed: ObservedState) -> list[ObservedService]:
    return sorted(observed.services, key=lambda s: (-s.since, s.name))
