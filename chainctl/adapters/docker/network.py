"""A chain in; its private network made or removed, with all that was left in it, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainctl.adapters.docker.labels import CHAIN, chain_labels, network_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain, remove
from chainctl.errors import DeployError

BRIDGE, OVERLAY = "bridge", "overlay"
_MISCOUNTED = "volume has active mounts"


def ensure_network(connection: Connection, chain: str) -> None:
    """Make the chain's bridge network unless it is there. Raises DeployError."""
    if has_network(connection, chain):
        return
    with connection.changing(f"make the network of {chain}"):
        connection.client.create_network(
            network_name(chain), driver=BRIDGE, labels=chain_labels(chain), check_duplicate=True
        )


def has_network(connection: Connection, chain: str, driver: str = BRIDGE) -> bool:
    """Say whether a chain has its network. Raises DeployError when it has one of another kind of target."""
    drivers = _drivers(connection, chain)
    for other in drivers - {driver}:
        there = "swarm" if other == OVERLAY else "docker"
        raise DeployError(
            f"A chain called {chain} runs on this engine already, on the target {there}",
            hint=f"take it down there (`chainctl down {chain} --target {there}`), or push under another `--name`",
        )
    return driver in drivers


def is_there(connection: Connection, chain: str) -> bool:
    """Say whether a chain has a network, of whatever kind of target."""
    return bool(_drivers(connection, chain))


def _drivers(connection: Connection, chain: str) -> set[str]:
    name = network_name(chain)
    with connection.reading(f"look for the network {name}"):
        found = connection.client.networks(names=[name])
    return {driver_of(network) for network in found if network["Name"] == name}


def chains_on(connection: Connection, driver: str) -> set[str]:
    """Return the chains that have a network of a kind."""
    with connection.reading("list networks"):
        found = connection.client.networks(filters={"label": CHAIN})
    return {network["Labels"][CHAIN] for network in found if driver_of(network) == driver}


def driver_of(network: Mapping[str, Any]) -> str:
    """Return the kind of a network. That of a swarm has none yet in the moment after it was made."""
    return network["Driver"] or (OVERLAY if network.get("Scope") == "swarm" else BRIDGE)


def remove_network(connection: Connection, chain: str) -> None:
    """Remove whatever still carries the chain's label; the network goes last, so that it can be redone."""
    for container in of_chain(connection, chain):
        remove(connection, container.id)
    for volume in volumes_of(connection, chain):
        remove_volume(connection, volume["Name"])
    _remove_network(connection, chain)


def volumes_of(connection: Connection, chain: str) -> list[Mapping[str, Any]]:
    """Return what the engine tells of every volume of a chain."""
    with connection.reading(f"list the volumes of {chain}"):
        return connection.client.volumes(filters={"label": f"{CHAIN}={chain}"}).get("Volumes") or []


def remove_volume(connection: Connection, name: str) -> None:
    """Remove a volume if there is one. Raises DeployError when something still uses it.

    Some engines count the users of a volume wrongly after they were started anew beside running containers
    (moby#44422), and say until their next start that there are some.
    """
    from docker.errors import NotFound

    try:
        with connection.changing(f"remove the volume {name}"):
            connection.client.remove_volume(name)
    except DeployError as error:
        if isinstance(error.__cause__, NotFound):
            return
        if _MISCOUNTED in error.message:
            error.hint = (
                "nothing of the chain runs any more: start the engine anew, then repeat the command "
                "(Docker from 23.0.6 on does without)."
            )
        raise


def ensure_volume(connection: Connection, name: str, chain: str) -> None:
    """Make a volume with the chain's label unless it is there. Raises DeployError."""
    with connection.changing(f"make the volume {name}"):
        connection.client.create_volume(name, labels=chain_labels(chain))


def _remove_network(connection: Connection, chain: str) -> None:
    from docker.errors import NotFound

    with connection.changing(f"remove the network of {chain}"):
        try:
            connection.client.remove_network(network_name(chain))
        except NotFound:
            return
