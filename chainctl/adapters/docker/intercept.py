"""A service of containers in; a container that stands in for it, with a link to it, out."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chainctl.adapters.docker.attach import attached
from chainctl.adapters.docker.doors import ContainerDoors
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.front_door_route import drain_service, lead_to_stand_in
from chainctl.adapters.docker.intercept_body import stand_in_body
from chainctl.adapters.docker.labels import INTERCEPT
from chainctl.adapters.docker.observe_container import Container
from chainctl.adapters.docker.services import python_of
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, find_own, remove, signal, start
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.intercept.program import stand_in_program
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.intercept import Standing, held, stand_in_name
from chainctl.deploy.release import INTERCEPT_REPLICA, ServiceSpec
from chainctl.deploy.replication import LEAVE_SIGNAL

_GONE_SEC = 10.0
_END_SEC = 45.0
_POLL_SEC = 0.2
_LED = "led"
_ASK = f"""\
import urllib.request
urllib.request.urlopen("http://127.0.0.1:{SERVICE_PORT}/readyz", timeout=2)
print("{_LED}")
"""


@dataclass(frozen=True, slots=True)
class DockerStandIns:
    """Starts stand-ins in the networks of chains. The link is the container's standard input and output."""

    engine: Engine

    def start(self, service: ServiceSpec, who: str, *, is_entrypoint: bool) -> Standing:
        spec = replace(service, name=stand_in_name(service.name))
        with Connection.opened(self.engine) as connection:
            _make_room(connection, service)
            python = python_of(connection, service)
            create(connection, spec.name, stand_in_body(spec, who, python, stand_in_program()))
            try:
                link = attached(connection, spec.name)
                start(connection, spec.name)
            except BaseException:
                remove(connection, spec.name)
                raise
        callees = {call.chainlet: f"tcp:{call.service}:{SERVICE_PORT}" for call in service.calls}
        return DockerStanding(link, callees, self.engine, service, is_entrypoint)


@dataclass(frozen=True, slots=True)
class DockerStanding:
    """One stand-in."""

    link: socket.socket
    callees: Mapping[str, str]
    engine: Engine
    service: ServiceSpec
    is_entrypoint: bool
    is_direct: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    def lead(self) -> None:
        if self.is_entrypoint:
            with Connection.opened(self.engine) as connection:
                lead_to_stand_in(ContainerDoors(connection, self.service.chain), self.service.name)

    def clear(self) -> None:
        with Connection.opened(self.engine) as connection:
            end_stand_in(connection, self.service.name, self.service.chain)


def end_stand_in(connection: Connection, service: str, chain: str) -> None:
    """Have a stand-in give its traffic back, and wait until it is gone; one that is gone is gone."""
    name = stand_in_name(service)
    there = find_own(connection, name, chain)
    if there is not None and there.is_running:
        signal(connection, there.id, LEAVE_SIGNAL.name)
        _await_gone(connection, name, chain, _END_SEC)
    remove(connection, name)
    drain_service(ContainerDoors(connection, chain), service, 0, INTERCEPT_REPLICA)


def _make_room(connection: Connection, service: ServiceSpec) -> None:
    """Refuse where somebody intercepts; wait for one that ends, and remove what only seems to be there."""
    name = stand_in_name(service.name)
    there = find_own(connection, name, service.chain)
    if there is None:
        return
    if there.is_running and not _is_led(connection, there):
        _await_gone(connection, name, service.chain, _GONE_SEC)
        there = find_own(connection, name, service.chain)
    if there is not None and there.is_running and _is_led(connection, there):
        raise held(service, there.labels.get(INTERCEPT, ""))
    remove(connection, name)


def _is_led(connection: Connection, container: Container) -> bool:
    return _LED in run_in(connection, container.id, [container.command, "-I", "-c", _ASK]).split()


def _await_gone(connection: Connection, name: str, chain: str, within_sec: float) -> None:
    def is_gone() -> bool | None:
        there = find_own(connection, name, chain)
        return None if there is not None and there.is_running else True

    first_answer(is_gone, within_sec, longest_pause_sec=_POLL_SEC)
