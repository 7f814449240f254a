"""A chain in; each HAProxy of its front door, to be asked and told over its control port, out.

A front door is one container of an engine, or one on each node of a swarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.haproxy_config import DIRECTORY
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.replica_places import CONTAINERS, ReplicaPlaces
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.deploy.door_config import CONTROL_PORT

TALK = 'exec 3<>"/dev/tcp/$1/$2"; printf "%s\\n" "$3" >&3; cat <&3'
_MODE = 0o400


class Door(Protocol):
    """One HAProxy that runs."""

    @property
    def name(self) -> str:
        """Return how a user finds it."""
        ...

    @property
    def logs(self) -> str:
        """Return the command that shows what it wrote."""
        ...

    def ask(self, *commands: str) -> str:
        """Run commands at once and return all that they answer, or why there is no answer."""
        ...

    def is_running(self) -> bool:
        """Say whether it is meant to answer, also while it does not."""
        ...


class Doors(Protocol):
    """All of a chain's front door."""

    @property
    def chain(self) -> str: ...

    @property
    def connection(self) -> Connection: ...

    @property
    def places(self) -> ReplicaPlaces:
        """Return where it finds replicas."""
        ...

    def running(self) -> Sequence[Door]:
        """Return what answers at the chain's address now. Raises DeployError where there is none."""
        ...

    def remember(self, service: str, replicas: int) -> None:
        """Write down where what starts from now on leads to. Raises DeployError."""
        ...


@dataclass(frozen=True, slots=True)
class ContainerDoor:
    """A container of the engine, by its name or id. It needs bash and cat to be asked."""

    connection: Connection
    name: str

    @property
    def logs(self) -> str:
        return f"docker logs {self.name}"

    def ask(self, *commands: str) -> str:
        words = ["127.0.0.1", str(CONTROL_PORT), "; ".join(commands)]
        return run_in(self.connection, self.name, ["bash", "-c", TALK, "-", *words])

    def is_running(self) -> bool:
        container = find(self.connection, self.name)
        return container is not None and container.is_running


@dataclass(frozen=True, slots=True)
class ContainerDoors:
    """The one container that is a chain's door; its route is in a file that it starts with."""

    connection: Connection
    chain: str
    places: ReplicaPlaces = CONTAINERS

    def running(self) -> Sequence[Door]:
        return [ContainerDoor(self.connection, door_name(self.chain))]

    def remember(self, service: str, replicas: int) -> None:
        text = route_text(service, replicas, is_shared=self.places.is_shared)
        files = [OwnedFile(ROUTE_FILE, _MODE, USER_ID, text.encode())]
        put_files(self.connection, door_name(self.chain), str(DIRECTORY), files)
