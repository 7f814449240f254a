"""Services in; their tasks, in the order in which they count as replicas, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.labels import network_name
from chainctl.adapters.docker.observe_container import epoch
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.labels import TEMPLATE

_ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_UNPLACED = frozenset({"new", "pending"})
_BROKEN = frozenset({"failed", "rejected"})


@dataclass(frozen=True, slots=True)
class Task:
    """One task: a container on some node, or what is to become one.

    `addresses` maps networks to its IPs in them. `message` is what Swarm says of it, `error` why it is not
    as it should be. `template` is the label that tells what it was made from.
    """

    id: str
    service: str
    slot: int
    node: str
    state: str
    desired: str
    message: str
    error: str
    container: str
    exit_code: int
    created: float
    addresses: Mapping[str, str]
    template: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Task:
        status = said.get("Status") or {}
        container = status.get("ContainerStatus") or {}
        return cls(
            id=said["ID"],
            service=said.get("ServiceID", ""),
            slot=said.get("Slot", 0),
            node=said.get("NodeID", ""),
            state=status.get("State", ""),
            desired=said.get("DesiredState", ""),
            message=status.get("Message", ""),
            error=status.get("Err", "").removeprefix("task: "),
            container=container.get("ContainerID", ""),
            exit_code=container.get("ExitCode", 0),
            created=epoch(said.get("CreatedAt", "")),
            addresses=dict(_addresses(said.get("NetworksAttachments") or ())),
            template=(_container_spec(said).get("Labels") or {}).get(TEMPLATE, ""),
        )

    @property
    def is_running(self) -> bool:
        """Say whether it runs and is healthy: before that it is `starting`. One on a lost node is to end."""
        return (self.state, self.desired) == ("running", "running")

    @property
    def is_wanted(self) -> bool:
        """Say whether it runs, or is to run."""
        return self.state not in _ENDED and self.desired in ("running", "ready")

    @property
    def is_unplaced(self) -> bool:
        """Say whether Swarm has yet to look for a node."""
        return self.state in _UNPLACED and not self.error

    @property
    def is_ending(self) -> bool:
        """Say whether it runs and is to end."""
        return self.state == "running" and self.desired == "shutdown"

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED

    @property
    def is_broken(self) -> bool:
        """Say whether it ended by itself, or could not begin."""
        return self.state in _BROKEN

    def address(self, chain: str) -> str:
        """Return its address in a chain's network, "" for none yet."""
        return self.addresses.get(network_name(chain), "")


def tasks_of(connection: Connection, services: Iterable[str]) -> list[Task]:
    """Return the tasks of services, by their names or ids, the last few ended ones too; none for no services."""
    wanted = list(services)
    if not wanted:
        return []
    from docker.errors import NotFound

    with connection.reading("list tasks"):
        try:
            said = connection.client.tasks(filters={"service": wanted})  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return []
    return [Task.of(one) for one in said]


def as_replicas(tasks: Sequence[Task], count: int) -> list[Task]:
    """Return the tasks that are replicas 1, 2, …: those that run first. Swarm chooses which one ends."""
    wanted = [task for task in tasks if task.is_wanted]
    return sorted(wanted, key=lambda t: (not t.is_running, t.slot, t.created))[:count]


def newest_failure(tasks: Sequence[Task]) -> Task | None:
    """Return the last task that broke in a slot in which none runs."""
    served = {task.slot for task in tasks if task.is_running}
    broken = [task for task in tasks if task.is_broken and task.slot not in served]
    return max(broken, key=lambda task: task.created, default=None)


def _container_spec(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return (said.get("Spec") or {}).get("ContainerSpec") or {}


def _addresses(attachments: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for one in attachments:
        for address in one.get("Addresses") or ():
            yield one["Network"]["Spec"]["Name"], str(address).partition("/")[0]
