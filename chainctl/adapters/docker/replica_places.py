"""A service in; the addresses at which a front door finds its replicas out, where they are containers."""

from __future__ import annotations

from typing import Protocol

from chainctl.adapters.docker.labels import network_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find_own
from chainctl.deploy.release import replica_name


class ReplicaPlaces(Protocol):
    """Where the replicas of services are."""

    @property
    def is_shared(self) -> bool:
        """Say whether all replicas of a service share one name, which stands for the addresses of all."""
        ...

    def addresses(
        self, connection: Connection, chain: str, service: str, replica: int = 1
    ) -> tuple[str, ...]:
        """Return the addresses at which a replica may be, none when it does not run."""
        ...


class ContainerPlaces:
    """Each replica is a container of this engine, with a name of its own and one address."""

    @property
    def is_shared(self) -> bool:
        return False

    def addresses(
        self, connection: Connection, chain: str, service: str, replica: int = 1
    ) -> tuple[str, ...]:
        container = find_own(connection, replica_name(service, replica), chain)
        address = container.addresses.get(network_name(chain)) if container and container.is_running else None
        return (address,) if address else ()


CONTAINERS = ContainerPlaces()
