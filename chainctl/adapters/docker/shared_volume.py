"""A chain in; its volume in memory, through which its services share large buffers, out.

The memory counts for the service that filled it first, within that service's own limit. A chain runs
without the volume as well: its services send each other everything then.
"""

from __future__ import annotations

from chainctl.adapters.docker.labels import CHAIN, chain_labels, shared_volume
from chainctl.adapters.docker.services_body import shared_options
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import DeployError
from chainctl.events import Emit, Notice


def ensure_shared_volume(connection: Connection, chain: str, emit: Emit) -> bool:
    """Make the volume unless it is there; say whether there is one. Tells why there is none."""
    name = shared_volume(chain)
    try:
        owner = _owner_of(connection, name) or _made(connection, name, chain)
    except DeployError as error:
        emit(not_shared(chain, error.message))
        return False
    if owner == chain:
        return True
    emit(not_shared(chain, f"the volume {name} is somebody else's"))
    return False


def not_shared(chain: str, reason: str) -> Notice:
    return Notice(f"The services of {chain} run without shared memory: {reason}")


def _owner_of(connection: Connection, name: str) -> str | None:
    """Return the chain of a volume: None when there is no volume, "?" when it is no chain's."""
    from docker.errors import NotFound

    with connection.reading(f"inspect the volume {name}"):
        try:
            said = connection.client.inspect_volume(name)
        except NotFound:
            return None
    return str((said.get("Labels") or {}).get(CHAIN, "?"))


def _made(connection: Connection, name: str, chain: str) -> str:
    with connection.changing(f"make the volume {name}"):
        connection.client.create_volume(
            name,
            driver="local",
            driver_opts={"type": "tmpfs", "device": "tmpfs", "o": shared_options()},
            labels=chain_labels(chain),
        )
    return chain
