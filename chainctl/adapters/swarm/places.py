"""A service in; the addresses of the tasks that are its replicas, on whatever node, out."""

from __future__ import annotations

from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.services import find_service
from chainctl.adapters.swarm.tasks import Task, as_replicas, tasks_of
from chainctl.deploy.release import replica_of


class TaskPlaces:
    """Replicas share the name of their service, which stands for the addresses of all that are healthy."""

    @property
    def is_shared(self) -> bool:
        return True

    def addresses(
        self, connection: Connection, chain: str, service: str, replica: int = 1
    ) -> tuple[str, ...]:
        """Return the addresses of all replicas, () when there are not so many."""
        running = running_tasks(connection, chain, service)
        found = [address for task in running if (address := task.address(chain))]
        return tuple(found) if len(found) >= replica else ()


TASKS = TaskPlaces()


def running_tasks(connection: Connection, chain: str, service: str) -> list[Task]:
    """Return the tasks of a service that run, in their order as replicas; none where there is no such service."""
    there = find_service(connection, service, chain)
    if there is None:
        return []
    tasks = as_replicas(tasks_of(connection, [there.id]), there.replicas)
    return [task for task in tasks if task.is_running]


def replica_task(connection: Connection, chain: str, name: str) -> Task | None:
    """Return the task that is a replica, by the replica's own name; None when it does not run."""
    service, replica = replica_of(name)
    running = running_tasks(connection, chain, service)
    return running[replica - 1] if len(running) >= replica else None
