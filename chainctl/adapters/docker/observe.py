"""A chain's name in; the ObservedState of all that one engine has of it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from chainctl.adapters.docker.doors import ContainerDoor
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.haproxy_config import DIRECTORY
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.labels import CHAIN, Role, door_name
from chainctl.adapters.docker.network import BRIDGE, OVERLAY, chains_on, has_network, volumes_of
from chainctl.adapters.docker.observe_container import Container, observed_remains, observed_service
from chainctl.adapters.docker.observe_door import observed_door
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain
from chainctl.adapters.docker.target_files import get_files
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState


def observe_chain(connection: Connection, chain: str) -> ObservedState:
    """Return what there is, half-made things too: one question a container, and one to the door."""
    has_own_network = has_network(connection, chain)
    containers = of_chain(connection, chain)
    services = [observed_service(c) for c in containers if c.role == Role.SERVICE]
    return ObservedState(
        chain=chain,
        services=(*services, *_remains(connection, chain, services)),
        front_door=door_among(connection, chain, containers),
        has_network=has_own_network,
    )


def observed_chains(connection: Connection, driver: str = BRIDGE) -> list[str]:
    """Return the chains of which there is a container or a network, but those of another kind of target."""
    other = OVERLAY if driver == BRIDGE else BRIDGE
    with connection.reading("list chains"):
        found = connection.client.containers(all=True, filters={"label": CHAIN})
    mine = {one["Labels"][CHAIN] for one in found} | chains_on(connection, driver)
    return sorted(mine - chains_on(connection, other))


def published_host(bind: str, address: EngineAddress) -> str:
    """Return the host under which callers reach what is bound; for all interfaces the engine's own."""
    if bind not in ("", "0.0.0.0", "::"):
        return f"[{bind}]" if ":" in bind else bind
    here = "[::1]" if bind == "::" else "127.0.0.1"
    return (is_remote(address) and urlsplit(address.url).hostname) or here


def is_remote(address: EngineAddress) -> bool:
    """Say whether an engine may be on another machine."""
    return address.url.startswith(("tcp://", "http://", "https://", "ssh://"))


def _remains(
    connection: Connection, chain: str, services: Sequence[ObservedService]
) -> Iterator[ObservedService]:
    """Yield replicas of which nothing is left but their secrets, as their removal was cut off."""
    there = {one.own_name for one in services}
    for volume in volumes_of(connection, chain):
        one = observed_remains(volume.get("Labels") or {})
        if one is not None and one.own_name not in there:
            yield one


def door_among(connection: Connection, chain: str, containers: Sequence[Container]) -> ObservedDoor | None:
    """Return a chain's door. Prefer the one under its own name to one that was being replaced."""
    name = door_name(chain)
    doors = sorted((c for c in containers if c.role == Role.DOOR), key=lambda c: c.name != name)
    if not doors:
        return None
    door = doors[0]
    host = published_host(door.published[0] if door.published else "", connection.engine.address)
    with ThreadPoolExecutor(1, "files") as pool:  # each takes the engine some 50 ms
        files = pool.submit(_files, connection.engine, door)
        state = door_state(ContainerDoor(connection, door.id)) if door.is_running else None
        return observed_door(door, host, files.result(), state)


def _files(engine: Engine, door: Container) -> Mapping[str, bytes]:
    with Connection.opened(engine) as connection:
        return get_files(connection, door.id, str(DIRECTORY))
