"""A FrontDoor and what the engine publishes in; the ports to try for it, in order, out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from chainctl.adapters.docker.target_connection import Connection
from chainctl.deploy.release import FrontDoor
from chainctl.errors import DeployError

_FIRST = 8100
_TRIED = 100
_TAKEN = re.compile(
    r"port is already allocated|host-mode port already in use|address already in use|"
    r"ports are not available|failed to bind",
    re.IGNORECASE,
)


def ports_for(
    connection: Connection, door: FrontDoor, kept: int | None, others: Collection[int] = ()
) -> Iterator[int]:
    """Yield the port that was asked for, or the one the chain has, and then free ones, that are not `others`."""
    if door.port is not None:
        yield door.port
        return
    if kept is not None:
        yield kept
    taken = {*_published(connection), *others}
    yield from (port for port in range(_FIRST, _FIRST + _TRIED) if port not in taken and port != kept)


def is_taken(error: DeployError) -> bool:
    """Say whether the engine refused to start a container because of its port."""
    return bool(_TAKEN.search(error.message))


def no_port(door: FrontDoor) -> DeployError:
    """Return the error for a door that got none of its ports."""
    if door.port is None:
        ports = f"{_FIRST} to {_FIRST + _TRIED - 1}"
        return DeployError(
            f"No port from {ports} is free on {door.bind}",
            hint="free one of them, or choose one with the setting `port`",
        )
    return DeployError(
        f"Port {door.port} on {door.bind} is taken",
        hint="choose another one with the setting `port`, or end what listens there",
    )


def _published(connection: Connection) -> frozenset[int]:
    with connection.reading("list its published ports"):
        listed = connection.client.containers()
    bindings = (binding for one in listed for binding in one.get("Ports") or ())
    return frozenset(binding["PublicPort"] for binding in bindings if "PublicPort" in binding)
