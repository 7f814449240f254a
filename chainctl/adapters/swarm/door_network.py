"""A chain in; the network that only its front doors are in, made or removed, and its subnets, out.

Over it the doors of other nodes are told where to lead, so no service of the chain may be in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainctl.adapters.docker.labels import CHAIN, chain_labels
from chainctl.adapters.docker.network import OVERLAY
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.labels import control_network_name
from chainctl.errors import DeployError

_LEAVE_SEC = 20.0
_ALLOCATED_SEC = 10.0
_LOOK_SEC = 0.3


def ensure_control_network(connection: Connection, chain: str) -> Sequence[str]:
    """Make the network unless it is there, and return its subnets as CIDR. Raises DeployError."""
    name = control_network_name(chain)
    if not _is_there(connection, chain):
        with connection.changing(f"make the network {name}"):
            connection.client.create_network(
                name,
                driver=OVERLAY,
                scope="swarm",
                attachable=True,
                labels=chain_labels(chain),
                check_duplicate=True,
            )
    subnets = first_answer(lambda: _subnets(connection, name) or None, _ALLOCATED_SEC)
    if subnets is None:
        raise DeployError(f"The swarm gives the network {name} no addresses", hint="push again")
    return subnets


def remove_control_network(connection: Connection, chain: str, grace_sec: float) -> None:
    """Remove the network if there is one, once its tasks have left it. Raises DeployError."""
    refused: list[DeployError] = []

    def is_gone() -> bool | None:
        if not _is_there(connection, chain):
            return True
        try:
            _remove(connection, control_network_name(chain))
        except DeployError as error:
            refused[:] = [error]
        return None

    if first_answer(is_gone, grace_sec + _LEAVE_SEC, longest_pause_sec=_LOOK_SEC) is None:
        raise refused[0]


def _is_there(connection: Connection, chain: str) -> bool:
    """Raises DeployError when the name is somebody else's."""
    name = control_network_name(chain)
    with connection.reading(f"look for the network {name}"):
        found = [one for one in connection.client.networks(names=[name]) if one["Name"] == name]
    if any((one.get("Labels") or {}).get(CHAIN) != chain for one in found):
        raise DeployError(
            f"A network named {name} exists that does not belong to {chain}",
            hint=f"remove it with `docker network rm {name}` if nobody needs it, then push again",
        )
    return bool(found)


def _subnets(connection: Connection, name: str) -> Sequence[str]:
    with connection.reading(f"inspect the network {name}"):
        said = connection.client.inspect_network(name)
    return [one["Subnet"] for one in (said.get("IPAM") or {}).get("Config") or ()]


def _remove(connection: Connection, name: str) -> None:
    from docker.errors import NotFound

    with connection.changing(f"remove the network {name}"):
        try:
            connection.client.remove_network(name)
        except NotFound:
            return
