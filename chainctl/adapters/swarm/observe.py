"""A chain's name in; the ObservedState of all that a swarm has of it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainctl.adapters.docker.labels import CHAIN, SECRETS_PART, fingerprint_in
from chainctl.adapters.docker.network import OVERLAY, has_network
from chainctl.adapters.docker.observe import observed_chains
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.labels import IMAGE, awaited_in
from chainctl.adapters.swarm.observe_door import observed_swarm_door
from chainctl.adapters.swarm.services import SwarmService, services_of
from chainctl.adapters.swarm.tasks import Task, as_replicas, tasks_of
from chainctl.deploy.state import ObservedService, ObservedState, ServiceStatus


def observe_swarm(connection: Connection, chain: str) -> ObservedState:
    """Return what there is, half-made things too: the same few questions for any number of services."""
    services = services_of(connection, chain)
    tasks = tasks_of(connection, [service.id for service in services])
    return ObservedState(
        chain=chain,
        services=tuple(
            one
            for service in services
            for one in observed_replicas(service, [task for task in tasks if task.service == service.id])
        ),
        front_door=observed_swarm_door(connection, chain),
        has_network=has_network(connection, chain, OVERLAY),
        rolls=True,
    )


def swarm_chains(connection: Connection) -> list[str]:
    """Return the chains of which there is a service, a door or a network."""
    with connection.reading("list services"):
        said = connection.client.services(filters={"label": CHAIN})  # type: ignore[no-untyped-call]  # so in types-docker
    return sorted({SwarmService.of(one).chain for one in said} | set(observed_chains(connection, OVERLAY)))


def observed_replicas(service: SwarmService, tasks: Sequence[Task]) -> Iterator[ObservedService]:
    """Yield the replicas that are wanted of a service; one of which none is, is there all the same, and stopped."""
    replicas = as_replicas(tasks, service.replicas)
    for number in range(1, max(1, service.replicas) + 1):
        task = replicas[number - 1] if number <= len(replicas) else None
        is_awaited = number <= awaited_in(service.labels)
        yield ObservedService(
            name=service.name,
            chainlet=service.chainlet,
            status=_status(service, task, tasks, is_awaited=is_awaited),
            fingerprint=fingerprint_in(service.labels),
            image=service.labels.get(IMAGE, ""),
            since=service.created,
            restarts=_restarts(task, tasks),
            replica=number,
            secrets=service.labels.get(SECRETS_PART, ""),
        )


def _status(
    service: SwarmService, task: Task | None, tasks: Sequence[Task], *, is_awaited: bool
) -> ServiceStatus:
    if service.has_failed:
        return ServiceStatus.FAILED
    if task is not None and task.is_running:
        return ServiceStatus.RUNNING if is_awaited else ServiceStatus.STOPPED
    return ServiceStatus.FAILED if _restarts(task, tasks) else ServiceStatus.STOPPED


def _restarts(task: Task | None, tasks: Sequence[Task]) -> int:
    """Count how often tasks before it broke in its place, as far as the swarm keeps them."""
    return sum(task is not None and one.is_broken and one.slot == task.slot for one in tasks)
