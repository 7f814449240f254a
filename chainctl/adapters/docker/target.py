"""Operations in; containers, networks and volumes on one Docker Engine changed out. The target "docker"."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from chainctl.adapters.docker.ask import ask_service, call_service
from chainctl.adapters.docker.control import open_control
from chainctl.adapters.docker.door_connection import connect_door
from chainctl.adapters.docker.door_loads import door_loads
from chainctl.adapters.docker.doors import ContainerDoors
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.front_door import WantedDoor, ensure_front_door, remove_front_door
from chainctl.adapters.docker.front_door_route import counted_traffic, drain_service, route_to, split_route
from chainctl.adapters.docker.gpus import host_gpus
from chainctl.adapters.docker.intercept import DockerStandIns, end_stand_in
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.logs import read_logs
from chainctl.adapters.docker.network import ensure_network, remove_network
from chainctl.adapters.docker.observe import observe_chain, observed_chains
from chainctl.adapters.docker.readiness import await_ready
from chainctl.adapters.docker.services import let_callers_turn_away, start_service, stop_service
from chainctl.adapters.docker.target_connection import Connection
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
from chainctl.deploy.release import INTERCEPT_REPLICA, ServiceSpec, replica_name
from chainctl.deploy.replication import as_replica
from chainctl.deploy.state import Capacity, ObservedState
from chainctl.deploy.target import Control, DataSource, LogLine, Vault
from chainctl.events import Emit, Event

DRAIN_SEC = 30.0
ANSWER_SEC = 3600


class DockerTarget:
    """Runs chains as containers of one engine, HAProxy in front of each.

    `drain_sec` bounds how long requests may finish, first at the door and then in the service that
    is told to stop; `answer_sec` how long a service may be silent while it answers.
    """

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        *,
        data: DataSource,
        drain_sec: float = DRAIN_SEC,
        answer_sec: int = ANSWER_SEC,
        name: str = "docker",
    ) -> None:
        self._name = name
        self._engine = engine
        self._vault = vault
        self._data = data
        self._drain_sec = drain_sec
        self._answer_sec = answer_sec
        self._told: set[Event] = set()

    @property
    def name(self) -> str:
        return self._name

    @property
    def pulls(self) -> bool:
        return False

    def chains(self) -> list[str]:
        with Connection.opened(self._engine) as connection:
            return observed_chains(connection)

    def observe(self, chain: str) -> ObservedState:
        with Connection.opened(self._engine) as connection:
            return observe_chain(connection, chain)

    def apply(self, operation: Operation, emit: Emit) -> None:
        """Make it so. Raises DeployError, EngineError, and MissingSecretError before a change."""
        with Connection.opened(self._engine) as connection:
            self._apply(connection, operation, emit)

    def gpus(self) -> HostDevices | None:
        with Connection.opened(self._engine) as connection:
            return host_gpus(connection)

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Check nothing: there is one machine, and its room is looked at."""
        return ()

    def capacity(self) -> Capacity:
        info = self._engine.info()
        return Capacity(info.memory or None, len(info.gpus) or None, info.cpus or None, is_held_to=True)

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        with Connection.opened(self._engine) as connection:
            return counted_traffic(ContainerDoors(connection, chain))

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        """Call from within the service's container: the network of a chain is not ours to enter."""
        with Connection.opened(self._engine) as connection:
            return call_service(connection, chain, service, body, timeout_sec)

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Ask from within the service's container, which alone has its token."""
        with Connection.opened(self._engine) as connection:
            return ask_service(connection, chain, service, path)

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Have the front door's container ask all replicas, in one command: it resolves their names."""
        with Connection.opened(self._engine) as connection:
            return door_loads(connection, door_name(chain), services, within_sec)

    def connect(self, chain: str) -> socket.socket | None:
        return connect_door(self._engine, chain)

    def control(self, chain: str, service: str, replica: int = 1) -> Control:
        return open_control(self._engine, chain, replica_name(service, replica))

    def stand_ins(self) -> DockerStandIns:
        """Return what starts containers that stand in for services."""
        return DockerStandIns(self._engine)

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        return read_logs(self._engine, chain, chainlets=chainlets, since=since, tail=tail, follow=follow)

    def _apply(self, connection: Connection, operation: Operation, emit: Emit) -> None:
        match operation:
            case EnsureNetwork(chain=chain):
                ensure_network(connection, chain)
            case StartService(service=service_spec, replica=replica, devices=devices):
                spec = as_replica(service_spec, replica)
                start_service(
                    connection, spec, self._vault, self._data, self._drain_sec, self._once(emit), devices
                )
            case AwaitReady(service=spec, replica=replica):
                await_ready(connection, as_replica(spec, replica))
            case EnsureFrontDoor(chain=chain, front_door=door):
                ensure_front_door(connection, WantedDoor.of(chain, door, self._vault, self._answer_sec), emit)
            case Route(chain=chain, service=service, replicas=replicas):
                route_to(ContainerDoors(connection, chain), service, replicas)
            case SplitRoute(chain=chain):
                split_route(ContainerDoors(connection, chain), operation)
            case StopService(chain=chain, service=service, replica=replica) if replica == INTERCEPT_REPLICA:
                end_stand_in(connection, service, chain)
            case StopService(chain=chain, service=service, replica=replica):
                name = replica_name(service, replica)
                drain_service(ContainerDoors(connection, chain), service, self._drain_sec, replica)
                if operation.has_others:
                    let_callers_turn_away(connection, name, chain)
                stop_service(connection, name, chain, self._drain_sec)
            case RemoveFrontDoor(chain=chain):
                remove_front_door(connection, chain, self._drain_sec)
            case RemoveNetwork(chain=chain):
                remove_network(connection, chain)
            case PassGates() | TurnCallers():
                return
            case _:
                assert_never(operation)

    def _once(self, emit: Emit) -> Emit:
        """Return what passes on the first of equal events only: every service of a chain may tell the same."""

        def told(event: Event) -> None:
            if event not in self._told:
                self._told.add(event)
                emit(event)

        return told
