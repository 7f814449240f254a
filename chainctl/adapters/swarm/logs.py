"""A chain in; the tasks that write its logs, on whatever node, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chainctl.adapters.docker.logs_source import LogWriter
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.services import services_of
from chainctl.adapters.swarm.tasks import tasks_of
from chainctl.deploy.release import replica_name


def task_writers(connection: Connection, chain: str, chainlets: Sequence[str]) -> list[LogWriter]:
    """Return the tasks of services, those that ended too as far as the swarm keeps them; no chainlets means all.

    A line is of the replica in whose place the task is: its slot.
    """
    services = [s for s in services_of(connection, chain) if not chainlets or s.chainlet in chainlets]
    named = {service.id: service for service in services}
    tasks = tasks_of(connection, named)
    slots = _numbered({(task.service, task.slot) for task in tasks if task.is_wanted})
    return [
        LogWriter(
            task.id,
            replica_name(named[task.service].name, slots.get((task.service, task.slot), task.slot)),
            named[task.service].chainlet,
            is_running=task.is_running,
            kind="tasks",
        )
        for task in sorted(tasks, key=lambda task: task.created)
        if task.container and task.service in named
    ]


def _numbered(slots: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Count the slots in use from 1: Swarm leaves gaps."""
    count = Counter[str]()
    found = {}
    for service, slot in sorted(slots):
        count[service] += 1
        found[service, slot] = count[service]
    return found
