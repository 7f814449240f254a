"""A chain in; the HAProxy on each node that is its front door, asked over the network of doors, out.

Where a task leads to that starts anew is a label of the service: a change of it replaces no task, and Swarm
puts it into the environment of each that it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chainctl.adapters.docker.door_loads import parse_loads, several_loads_command
from chainctl.adapters.docker.doors import TALK, ContainerDoors, Door, Doors
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.replica_places import ReplicaPlaces
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_exec import NO_ANSWER
from chainctl.adapters.swarm.inside import Inside
from chainctl.adapters.swarm.labels import ROUTE, control_network_name, route_label
from chainctl.adapters.swarm.places import TASKS
from chainctl.adapters.swarm.services import Spec, SwarmService, change_service, doors_of
from chainctl.adapters.swarm.tasks import Task, tasks_of
from chainctl.deploy.door_config import PEER_PORT
from chainctl.deploy.load import Loads
from chainctl.errors import DeployError

_ASK_SEC = 3
"""A node that was lost just now does not even refuse."""


@contextmanager
def front_doors(connection: Connection, chain: str) -> Iterator[Doors]:
    """Yield the front door of a chain on a swarm, a service or a container of this node, to be asked and told."""
    if doors_of(connection, chain):
        with Inside(connection, chain) as inside:
            yield TaskDoors(connection, chain, inside)
    else:
        yield ContainerDoors(connection, chain, TASKS)


@dataclass(frozen=True, slots=True)
class TaskDoor:
    """The HAProxy of one node, of whose addresses `address` is in the network of doors."""

    inside: Inside
    connection: Connection
    task: Task
    service: str
    address: str

    @property
    def name(self) -> str:
        return f"{self.service} (task {self.task.id[:12]})"

    @property
    def logs(self) -> str:
        return f"docker service logs {self.service}"

    def ask(self, *commands: str) -> str:
        words = [self.address, str(PEER_PORT), "; ".join(commands)]
        said = self.inside.run(["timeout", str(_ASK_SEC), "bash", "-c", TALK, "-", *words])
        return said or f"{NO_ANSWER}nothing within {_ASK_SEC} s"  # HAProxy says a line break at least

    def is_running(self) -> bool:
        tasks = tasks_of(self.connection, [self.service])
        return any(task.id == self.task.id and task.is_running for task in tasks)


@dataclass(frozen=True, slots=True)
class TaskDoors:
    """The doors on all nodes, asked through a container of this one."""

    connection: Connection
    chain: str
    inside: Inside
    places: ReplicaPlaces = TASKS

    def running(self) -> Sequence[Door]:
        name = door_name(self.chain)
        return [
            TaskDoor(self.inside, self.connection, task, name, address)
            for task, address in door_addresses(self.connection, self.chain)
        ]

    def remember(self, service: str, replicas: int) -> None:
        def edit(_: SwarmService, there: Spec) -> Spec:
            there["Labels"] = {**there["Labels"], ROUTE: route_label(service, replicas)}
            return there

        name = door_name(self.chain)
        if change_service(self.connection, name, self.chain, edit) is None:
            raise DeployError(f"The service {name} is gone", hint="push again")


def door_addresses(connection: Connection, chain: str) -> list[tuple[Task, str]]:
    """Return the tasks of a chain's door that run, with their addresses in the network of doors."""
    tasks = tasks_of(connection, [door.id for door in doors_of(connection, chain)])
    network = control_network_name(chain)
    found = [(task, task.addresses.get(network, "")) for task in tasks if task.is_running]
    return sorted((one for one in found if one[1]), key=lambda one: one[0].node)


def task_loads(
    connection: Connection, chain: str, services: Sequence[str], within_sec: float, token: str
) -> Loads:
    """Ask all replicas, and all doors what they hold, in one command."""
    doors = [f"{address}:{PEER_PORT}" for _, address in door_addresses(connection, chain)]
    command, limit_sec = several_loads_command(doors, services, within_sec)
    with Inside(connection, chain) as inside:
        said = inside.feed(command, f"{token}\n".encode(), limit_sec)
    return parse_loads(said.decode(errors="replace"), services)
