"""A chain in; what a swarm has of its front door, a service or a container, out."""

from __future__ import annotations

from dataclasses import replace

from chainctl.adapters.docker.front_door_body import SCHEME
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.labels import Role
from chainctl.adapters.docker.observe import door_among, published_host
from chainctl.adapters.docker.observe_container import Container
from chainctl.adapters.docker.observe_door import WrittenDoor, compared
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain
from chainctl.adapters.swarm.door_body import EVERYWHERE, port_of
from chainctl.adapters.swarm.door_tasks import front_doors
from chainctl.adapters.swarm.labels import SETTINGS, route_in
from chainctl.adapters.swarm.nodes import node_here, nodes_of
from chainctl.adapters.swarm.services import SwarmService, doors_of
from chainctl.adapters.swarm.tasks import Task, tasks_of
from chainctl.deploy.state import ObservedDoor, ServiceStatus


def observed_swarm_door(connection: Connection, chain: str) -> ObservedDoor | None:
    """Return the door. Where it has both forms, a change from one to the other was cut off."""
    containers = of_chain(connection, chain)
    service = next(iter(doors_of(connection, chain)), None)
    if service is None:
        return door_among(connection, chain, containers)
    found = _observed(connection, service)
    return replace(found, digest="") if any(_is_door(one) for one in containers) else found


def _observed(connection: Connection, service: SwarmService) -> ObservedDoor:
    """A door on a node that is lost, or is being replaced, says nothing: the others tell."""
    with front_doors(connection, service.chain) as doors:
        said = [door_state(door) for door in doors.running()]
    states = [one for one in said if one is not None]
    tasks = tasks_of(connection, [service.id])
    is_settled = not (service.is_rolling or service.update == "paused")
    route, replicas = route_in(service.labels)
    written = WrittenDoor(service.labels.get(SETTINGS, "") if is_settled else "", route, replicas)
    scheme = service.labels.get(SCHEME, "http")
    url = f"{scheme}://{_host(connection, tasks)}:{port_of(service.spec) or 0}"
    return compared(written, states, url, ServiceStatus.RUNNING if states else ServiceStatus.FAILED)


def _host(connection: Connection, tasks: list[Task]) -> str:
    """Return the node that is talked to, if it has a door; else the address of one that has."""
    there = {task.node for task in tasks if task.is_running}
    if not there or node_here(connection) in there:
        return published_host(EVERYWHERE[0], connection.engine.address)
    address = min(node.address for node in nodes_of(connection) if node.id in there)
    return f"[{address}]" if ":" in address else address


def _is_door(container: Container) -> bool:
    return container.role == Role.DOOR
