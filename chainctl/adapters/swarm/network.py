"""A chain in; its private network over all nodes made or removed, with all that was left in it, out."""

from __future__ import annotations

from chainctl.adapters.docker.labels import chain_labels, network_name
from chainctl.adapters.docker.network import OVERLAY, has_network, remove_network
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.door_network import remove_control_network
from chainctl.adapters.swarm.files import remove_unused
from chainctl.adapters.swarm.labels import TASK_ROLE
from chainctl.adapters.swarm.services import doors_of, remove_service, services_of
from chainctl.adapters.swarm.starting import stop_replicas
from chainctl.errors import DeployError

_LEAVE_SEC = 10.0
_LOOK_SEC = 0.3


def ensure_overlay(connection: Connection, chain: str) -> None:
    """Make the chain's overlay network unless it is there; the door is attached to it. Raises DeployError."""
    if has_network(connection, chain, OVERLAY):
        return
    with connection.changing(f"make the network of {chain}"):
        connection.client.create_network(
            network_name(chain),
            driver=OVERLAY,
            scope="swarm",
            attachable=True,
            labels=chain_labels(chain),
            check_duplicate=True,
        )


def remove_overlay(connection: Connection, chain: str, grace_sec: float) -> None:
    """Remove whatever still carries the chain's label; the network goes last, once its tasks have left it."""
    for door in doors_of(connection, chain):
        remove_service(connection, door.name)
    for service in services_of(connection, chain):
        stop_replicas(connection, service.name, chain, 0)
    remove_unused(connection, chain)
    first_answer(lambda: _have_left(connection, chain), grace_sec + _LEAVE_SEC, longest_pause_sec=_LOOK_SEC)
    remove_control_network(connection, chain, grace_sec)
    refused: list[DeployError] = []

    def is_gone() -> bool | None:
        try:
            remove_network(connection, chain)
        except DeployError as error:
            refused[:] = [error]
            return None
        return None if has_network(connection, chain, OVERLAY) else True

    if first_answer(is_gone, grace_sec + _LEAVE_SEC) is None:
        raise (
            refused[0]
            if refused
            else DeployError(f"The network of {chain} is still there", hint="repeat the command")
        )


def _have_left(connection: Connection, chain: str) -> bool | None:
    """Say whether no task of the chain is left on this node; those on others keep the network from going."""
    tasks = (one for one in of_chain(connection, chain) if one.role == TASK_ROLE)
    return None if any(task.is_running for task in tasks) else True
