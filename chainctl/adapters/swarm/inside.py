"""A chain in; a container of this node that is in its networks, and what commands say there, out.

What runs on other nodes is reached only from within the networks of a chain. So a container that is in them
carries what is to be said: the door, or one that is made for it and goes again.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import cached_property
from types import TracebackType
from typing import Any

from chainctl.adapters.docker.control import FramedWire
from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.front_door_image import require_image
from chainctl.adapters.docker.labels import ROLE, chain_labels, door_name, network_name
from chainctl.adapters.docker.services_body import confinement
from chainctl.adapters.docker.session_connection import SessionUnavailableError, attached
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, find, find_own, remove, start
from chainctl.adapters.docker.target_exec import NO_ANSWER, run_in
from chainctl.adapters.swarm.labels import HELPER_ROLE, control_network_name
from chainctl.adapters.swarm.nodes import node_here
from chainctl.adapters.swarm.services import SwarmService, doors_of
from chainctl.adapters.swarm.tasks import tasks_of
from chainctl.deploy.release import FrontDoor
from chainctl.errors import DeployError
from chainctl.events import Event

_IDLE = ["bash", "-c", "exec sleep 600"]
_MEMORY = 32 << 20


class Inside:
    """A context: commands are run in a container that is in a chain's networks as long as it lasts."""

    def __init__(self, connection: Connection, chain: str) -> None:
        self._connection = connection
        self._chain = chain
        self._container = ""
        self._helper = ""

    def __enter__(self) -> Inside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._helper:
            remove(self._connection, self._helper)

    def run(self, command: Sequence[str]) -> str:
        """Return what a command writes, or why there is no answer, as `run_in` does. Raises DeployError."""
        said = run_in(self._connection, self._there(), command)
        if not said.startswith(NO_ANSWER):
            return said
        self._container = ""  # the door that it was run in may just have been replaced
        return run_in(self._connection, self._there(), command)

    def feed(self, command: Sequence[str], data: bytes, within_sec: float) -> bytes:
        """Return what a command writes that reads `data`, until it ends or time is up. Raises DeployError."""
        return fed(self._connection, self._there(), command, data, within_sec)

    def _there(self) -> str:
        if not self._container:
            self._container = self._found() or self._made()
        return self._container

    def _found(self) -> str:
        door = find_own(self._connection, door_name(self._chain), self._chain)
        if door is not None and door.is_running:
            return door.id
        service = self._door
        tasks = tasks_of(self._connection, [service.id]) if service else []
        mine = (t.container for t in tasks if t.is_running and t.node == self._node)
        return next((one for one in mine if self._runs(one)), "")

    def _runs(self, container: str) -> bool:
        """Ask the engine itself: Swarm hears of a task's end a moment later."""
        there = find(self._connection, container)
        return there is not None and there.is_running

    @cached_property
    def _node(self) -> str:
        return node_here(self._connection)

    @property
    def _door(self) -> SwarmService | None:
        return next(iter(doors_of(self._connection, self._chain)), None)

    def _made(self) -> str:
        if self._helper:
            return self._helper
        service, networks = self._door, [network_name(self._chain)]
        image = FrontDoor().image
        if service is not None:
            image = service.spec["TaskTemplate"]["ContainerSpec"]["Image"]
            networks.append(control_network_name(self._chain))
        self._helper = started_helper(self._connection, self._chain, image, networks)
        return self._helper


def started_helper(
    connection: Connection,
    chain: str,
    image: str,
    networks: Sequence[str] = (),
    memory_directories: Sequence[str] = (),
) -> str:
    """Start a container that does nothing for some minutes, in networks or in none. Returns its name.

    `memory_directories` are there to be written to, in memory. Raises DeployError.
    """
    require_image(connection, image, _ignored)
    name = f"{door_name(chain)}-helper-{uuid.uuid4().hex[:8]}"
    first = networks[0] if networks else "none"
    body: dict[str, object] = {
        "Image": image,
        "Cmd": _IDLE,
        "User": f"{USER_ID}:{USER_ID}",
        "Labels": {**chain_labels(chain), ROLE: HELPER_ROLE},
        "HostConfig": {
            **confinement(),
            "NetworkMode": first,
            "Memory": _MEMORY,
            "MemorySwap": _MEMORY,
            "PidsLimit": 64,
            "Tmpfs": dict.fromkeys(memory_directories, f"size=1m,mode=0700,uid={USER_ID},gid={USER_ID}"),
        },
    }
    create(connection, name, body)
    try:
        for network in networks[1:]:
            _join(connection, name, network)
        start(connection, name)
    except BaseException:
        remove(connection, name)
        raise
    return name


def fed(
    connection: Connection, container: str, command: Sequence[str], data: bytes, within_sec: float
) -> bytes:
    """Run a command that reads `data`; return what it writes until it ends, or time is up. Raises DeployError."""
    try:
        with connection.changing(f"run a command in {container}"):
            made = connection.client.exec_create(container, list(command), stdin=True)
            session = attached(connection.client, made["Id"])
    except SessionUnavailableError as error:
        raise DeployError(f"{container} can not be reached: the engine answers {error}") from error
    wire = FramedWire(session)
    timer = threading.Timer(within_sec, wire.cut)
    timer.start()
    answer = bytearray()
    try:
        with closing(wire), suppress(OSError, ValueError):  # what was cut gives what has come
            wire.send(data)
            while said := wire.receive():
                answer += said
    finally:
        timer.cancel()
        timer.join()
    return bytes(answer)


def _join(connection: Connection, container: str, network: str) -> None:
    join: Callable[..., Any] = connection.client.connect_container_to_network
    with connection.changing(f"connect {container} to {network}"):
        join(container, network)


def _ignored(_event: Event) -> None:
    """An image that is fetched on the way is nothing to tell of."""
