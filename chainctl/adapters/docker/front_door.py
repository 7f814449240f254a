"""A FrontDoor in; the one container that answers at a chain's address, made, changed or removed, out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from chainctl.adapters.docker.doors import ContainerDoor
from chainctl.adapters.docker.front_door_body import USER_ID, container_digest, door_body
from chainctl.adapters.docker.front_door_image import require_image
from chainctl.adapters.docker.front_door_port import is_taken, no_port, ports_for
from chainctl.adapters.docker.front_door_reload import await_settings, reload_door, require_valid
from chainctl.adapters.docker.haproxy_config import DIRECTORY, DoorSettings, door_files
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, replicas_in, route_in, route_text
from chainctl.adapters.docker.haproxy_state import DoorState
from chainctl.adapters.docker.labels import DOOR, door_name, door_volume, retired_door_name
from chainctl.adapters.docker.network import ensure_volume, remove_volume
from chainctl.adapters.docker.observe_container import Container
from chainctl.adapters.docker.replica_places import CONTAINERS, ReplicaPlaces
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, find_own, remove, rename, start, stop
from chainctl.adapters.docker.target_files import OwnedFile, get_files, put_files
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.target import Vault
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit

HANDOVER_SEC = 5.0
_MOMENT_SEC = 2.0
_SECRET_MODE = 0o400


@dataclass(frozen=True, slots=True)
class WantedDoor:
    """A chain's front door as it should be, what HAProxy is told for it, and where it finds replicas."""

    chain: str
    front_door: FrontDoor
    settings: DoorSettings
    places: ReplicaPlaces = CONTAINERS

    @classmethod
    def of(
        cls,
        chain: str,
        door: FrontDoor,
        vault: Vault,
        answer_sec: int,
        places: ReplicaPlaces = CONTAINERS,
    ) -> WantedDoor:
        """Complete a door with what only the vault knows. Raises MissingSecretError."""
        settings = DoorSettings(
            digest=door.digest,
            token=vault.token(chain),
            key=vault.value(door.api_key) if door.api_key else None,
            tls=vault.value(door.tls) if door.tls else None,
            answer_sec=answer_sec,
            holds=door.holds,
        )
        return cls(chain, door, settings, places)


@dataclass(frozen=True, slots=True)
class KeptDoor:
    """What a new door takes over from an old one: its port, unless one is named, and its route."""

    port: int | None = None
    route: str | None = None
    replicas: int = 1


def ensure_front_door(
    connection: Connection, wanted: WantedDoor, emit: Emit, kept: KeptDoor | None = None
) -> None:
    """Make the door, or change the one there is; it keeps its route, and its port unless one is named.

    `kept` is what it takes over where there is none yet.

    Other keys or certificates need no new container: they are read again without a request lost.
    When a new container does not come up, the old one is put back. Raises DeployError.
    """
    require_image(connection, wanted.front_door.image, emit)
    old = settle(connection, wanted.chain)
    state = _answer(connection, old)
    if old is None or state is None:
        return _replace(connection, wanted, old, kept)
    require_valid(connection, old, wanted.settings)
    if old.labels.get(DOOR) != container_digest(wanted.front_door):
        return _replace(connection, wanted, old)
    reload_door(connection, old, wanted.settings, state)


def remove_front_door(connection: Connection, chain: str, drain_sec: float) -> None:
    """Let requests under way finish, then take the door and its files away; absent is as good."""
    for name in (retired_door_name(chain), door_name(chain)):
        if find_own(connection, name, chain) is not None:
            stop(connection, name, drain_sec)
            remove(connection, name)
    remove_volume(connection, door_volume(chain))


def settle(connection: Connection, chain: str) -> Container | None:
    """Return the chain's door under its own name, after a replacement that was cut off too."""
    door = find_own(connection, door_name(chain), chain)
    retired = find_own(connection, retired_door_name(chain), chain)
    if retired is None:
        return door
    if door is not None and door.is_running:
        remove(connection, retired.id)
        return door
    remove(connection, door_name(chain))
    rename(connection, retired.id, door_name(chain))
    return retired


def _answer(connection: Connection, door: Container | None) -> DoorState | None:
    """Return what a door says that runs; one that has only just started is given a moment."""
    if door is None or not door.is_running:
        return None
    return first_answer(lambda: door_state(ContainerDoor(connection, door.id)), _MOMENT_SEC)


def _replace(
    connection: Connection, wanted: WantedDoor, old: Container | None, kept: KeptDoor | None = None
) -> None:
    with _put_back_on_failure(connection, wanted, old):
        _start_new(connection, wanted, old, kept or KeptDoor())
        await_settings(connection, door_name(wanted.chain), wanted.settings.digest)
    if old is not None:
        stop(connection, old.id, HANDOVER_SEC)
        remove(connection, old.id)


@contextlib.contextmanager
def _put_back_on_failure(connection: Connection, wanted: WantedDoor, old: Container | None) -> Iterator[None]:
    chain = wanted.chain
    if old is not None:
        if (
            wanted.places.is_shared
        ):  # a network over several engines loses a name that changes while it is used
            stop(connection, old.id, HANDOVER_SEC)
        rename(connection, old.id, retired_door_name(chain))
    try:
        yield
    except ChainctlError:
        with contextlib.suppress(ChainctlError):
            remove(connection, door_name(chain))
            if old is not None:
                rename(connection, old.id, door_name(chain))
            if old is not None and old.is_running:
                start(connection, old.id)
                _answer(connection, old)
        raise


def _start_new(connection: Connection, wanted: WantedDoor, old: Container | None, kept: KeptDoor) -> None:
    """Start a door at the first port that is free; an old one in its place is stopped before."""
    chain = wanted.chain
    if old is not None:
        kept = kept_of(connection, wanted, old)
    route = route_text(kept.route, kept.replicas, is_shared=wanted.places.is_shared)
    ensure_volume(connection, door_volume(chain), chain)
    for port in ports_for(connection, wanted.front_door, kept.port):
        if old is not None and port == kept.port:
            stop(connection, old.id, HANDOVER_SEC)
        if _starts_at(connection, wanted, port, route):
            return
    raise no_port(wanted.front_door)


def kept_of(connection: Connection, wanted: WantedDoor, door: Container) -> KeptDoor:
    """Return what a door leaves; no route when its service does not run: HAProxy would look for it in vain."""
    port = door.published[1] if door.published else None
    files = get_files(connection, door.id, str(DIRECTORY))
    route = route_in(files)
    if route is None or not wanted.places.addresses(connection, wanted.chain, route):
        return KeptDoor(port)
    return KeptDoor(port, route, replicas_in(files))


def _starts_at(connection: Connection, wanted: WantedDoor, port: int, route: str) -> bool:
    """Make and start a door at a port; False when the port is taken."""
    name = door_name(wanted.chain)
    files = {**door_files(wanted.settings), ROUTE_FILE: route.encode()}
    create(connection, name, door_body(wanted.chain, wanted.front_door, port))
    put_files(
        connection,
        name,
        str(DIRECTORY),
        [OwnedFile(path, _SECRET_MODE, USER_ID, content) for path, content in sorted(files.items())],
    )
    try:
        start(connection, name)
    except DeployError as error:
        if not is_taken(error):
            raise
        remove(connection, name)
        return False
    return True
