"""Operations in; services, networks and secrets of a Docker Swarm changed out. The target "swarm"."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from chainctl.adapters.docker.door_connection import connect_door
from chainctl.adapters.docker.door_loads import door_loads
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.front_door import WantedDoor
from chainctl.adapters.docker.front_door_route import counted_traffic, drain_service, route_to, split_route
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.logs import read_logs
from chainctl.adapters.docker.target import ANSWER_SEC, DRAIN_SEC
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.ask import ask_replica, call_replica
from chainctl.adapters.swarm.cache import require_cache
from chainctl.adapters.swarm.control import open_task_control
from chainctl.adapters.swarm.door_service import ensure_swarm_door, remove_swarm_door
from chainctl.adapters.swarm.door_tasks import front_doors, task_loads
from chainctl.adapters.swarm.logs import task_writers
from chainctl.adapters.swarm.manager import opened
from chainctl.adapters.swarm.network import ensure_overlay, remove_overlay
from chainctl.adapters.swarm.nodes import capacity_of, nodes_of, require_image, require_place
from chainctl.adapters.swarm.observe import observe_swarm, swarm_chains
from chainctl.adapters.swarm.places import TASKS
from chainctl.adapters.swarm.readiness import await_replicas
from chainctl.adapters.swarm.services import doors_of, find_service
from chainctl.adapters.swarm.starting import Start, await_room, start_replicas, stop_replicas
from chainctl.deploy.canary import Traffic
from chainctl.deploy.devices import HostDevices
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.release import ServiceSpec, replica_name
from chainctl.deploy.state import Capacity, ObservedState
from chainctl.deploy.target import Control, DataSource, LogLine, Vault
from chainctl.events import Emit


class SwarmTarget:
    """Runs each service of a chain as one service of a swarm, HAProxy in front, on the manager that we talk to.

    `drain_sec` bounds how long requests may finish, first at the door and then in the service that
    is told to stop; `answer_sec` how long a service may be silent while it answers. With `has_registry`,
    images are published before they are needed.
    """

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        *,
        data: DataSource,
        drain_sec: float = DRAIN_SEC,
        answer_sec: int = ANSWER_SEC,
        name: str = "swarm",
        has_registry: bool = False,
    ) -> None:
        self._name = name
        self._has_registry = has_registry
        self._engine = engine
        self._vault = vault
        self._data = data
        self._drain_sec = drain_sec
        self._answer_sec = answer_sec

    @property
    def name(self) -> str:
        return self._name

    @property
    def pulls(self) -> bool:
        return False

    def chains(self) -> list[str]:
        with opened(self._engine) as connection:
            return swarm_chains(connection)

    def observe(self, chain: str) -> ObservedState:
        with opened(self._engine) as connection:
            return observe_swarm(connection, chain)

    def apply(self, operation: Operation, emit: Emit) -> None:
        """Make it so. Raises DeployError, EngineError, and MissingSecretError before a change."""
        with opened(self._engine) as connection:
            self._apply(connection, operation, emit)

    def gpus(self) -> HostDevices | None:
        """Return None: Swarm itself chooses GPUs, on whatever node."""
        return None

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Compare what services ask for, labels, GPUs and images too, with what nodes have."""
        with opened(self._engine) as connection:
            nodes = nodes_of(connection)
        for service in services:
            require_place(service, nodes)
            require_cache(service, nodes)
            if not self._has_registry:
                require_image(service, nodes)
        return ()

    def capacity(self) -> Capacity:
        """Return what all nodes have, and the largest of them: no replica is spread over two."""
        with opened(self._engine) as connection:
            return capacity_of(nodes_of(connection))

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        with opened(self._engine) as connection, front_doors(connection, chain) as doors:
            return counted_traffic(doors)

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        """Call from within the chain's network, which is not ours to enter."""
        with opened(self._engine) as connection:
            return call_replica(connection, chain, service, body, timeout_sec, self._vault.token(chain))

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Ask from within the chain's network, with the chain's token."""
        with opened(self._engine) as connection:
            return ask_replica(connection, chain, service, path, self._vault.token(chain))

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Have a front door's container ask all replicas, on whatever nodes, in one command."""
        with opened(self._engine) as connection:
            if doors_of(connection, chain):
                return task_loads(connection, chain, services, within_sec, self._vault.token(chain))
            return door_loads(connection, door_name(chain), services, within_sec)

    def connect(self, chain: str) -> socket.socket | None:
        with opened(self._engine) as connection:
            if doors_of(connection, chain):  # it listens on all addresses
                return None
        return connect_door(self._engine, chain)

    def control(self, chain: str, service: str, replica: int = 1) -> Control:
        return open_task_control(self._engine, chain, replica_name(service, replica))

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        return read_logs(
            self._engine,
            chain,
            chainlets=chainlets,
            since=since,
            tail=tail,
            follow=follow,
            writers=task_writers,
        )

    def _apply(self, connection: Connection, operation: Operation, emit: Emit) -> None:
        match operation:
            case EnsureNetwork(chain=chain):
                ensure_overlay(connection, chain)
            case StartService(service=spec, replica=replica, renews=renews):
                start = Start(spec, replica, renews)
                start_replicas(connection, start, self._vault, self._data, self._drain_sec)
            case AwaitReady(service=spec, replica=replica):
                await_replicas(connection, spec, replica)
            case EnsureFrontDoor(chain=chain, front_door=door):
                wanted = WantedDoor.of(chain, door, self._vault, self._answer_sec, TASKS)
                ensure_swarm_door(connection, wanted, emit, self._drain_sec)
            case Route(chain=chain, service=service, replicas=replicas):
                with front_doors(connection, chain) as doors:
                    route_to(doors, service, replicas)
            case SplitRoute(chain=chain):
                with front_doors(connection, chain) as doors:
                    split_route(doors, operation)
            case StopService():
                self._stop(connection, operation)
            case RemoveFrontDoor(chain=chain):
                remove_swarm_door(connection, chain, self._drain_sec)
            case RemoveNetwork(chain=chain):
                remove_overlay(connection, chain, self._drain_sec)
            case PassGates() | TurnCallers():
                return
            case _:
                assert_never(operation)

    def _stop(self, connection: Connection, operation: StopService) -> None:
        """Replicas end from the last one on: with one, all those after it.

        Nobody waits for them, unless it is for their room that they end.
        """
        chain, service, first = operation.chain, operation.service, operation.replica
        there = find_service(connection, service, chain)
        count = there.replicas if there is not None else 0
        with front_doors(connection, chain) as doors:
            for number in range(max(count, first), first - 1, -1):
                drain_service(doors, service, self._drain_sec, number)
        if operation.restores is not None:
            await_room(connection, service, chain, self._drain_sec)
        stop_replicas(connection, service, chain, first - 1)
