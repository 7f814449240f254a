"""A door's service in; the moment when all nodes have what is wanted, or why they have not, out."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chainctl.adapters.docker.front_door import WantedDoor
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.door_body import digest_in
from chainctl.adapters.swarm.door_tasks import front_doors
from chainctl.adapters.swarm.labels import DOOR_LABEL
from chainctl.adapters.swarm.nodes import nodes_of
from chainctl.adapters.swarm.readiness import NO_ROOM_SEC, last_lines
from chainctl.adapters.swarm.service_body import Template
from chainctl.adapters.swarm.services import find_service
from chainctl.adapters.swarm.tasks import Task, tasks_of
from chainctl.errors import DeployError

_START_SEC = 120.0
_NODE_SEC = 10.0
"""So much longer for each node: they are changed one after another."""
_LOOK_SEC = 0.3
_PENDING = "pending"


@dataclass(slots=True)
class _Look:
    """The last look at a door that is starting."""

    connection: Connection
    wanted: WantedDoor
    digest: str
    older: Collection[str]
    late: str = ""
    failed: Task | None = None
    stuck_since: float = 0.0

    def outcome(self) -> str | None:
        """Return "" when all nodes have the door that is wanted, why they will not have it, None while they start."""
        service = find_service(self.connection, door_name(self.wanted.chain), self.wanted.chain)
        if service is None:
            return "it was removed while it started"
        tasks = tasks_of(self.connection, [service.id])
        mine = [task for task in tasks if task.template == self.digest and task.id not in self.older]
        there = {task.node for task in tasks if task.template == self.digest and task.is_running}
        broken = [task for task in mine if task.is_broken and task.node not in there]
        self.failed = max(broken, key=lambda task: task.created, default=None)
        if service.is_rolled_back and digest_in(service.spec["TaskTemplate"]) != self.digest:
            return None if service.is_rolling else f"{self._why()}; the swarm went back to what ran before"
        if self.failed is not None and not service.is_rolling:
            return self._why()
        if stuck := self._stuck(tasks):
            return stuck
        late = [node for node in door_nodes(self.connection) if node not in there]
        self.late = f"{len(late)} node{'s' if len(late) != 1 else ''} had none yet" if late else ""
        return None if late or service.is_rolling or not self._answers() else ""

    def _why(self) -> str:
        return (self.failed.error or self.failed.message) if self.failed else "its tasks failed"

    def _stuck(self, tasks: Sequence[Task]) -> str | None:
        """Say why a node can not have the door, once that has lasted: what ends just now makes room."""
        told = next((t.error for t in tasks if t.is_wanted and t.state == _PENDING and t.error), "")
        told = self._why() if self.failed else told
        now = time.monotonic()
        is_moving = not told or any(task.is_ending for task in tasks)
        self.stuck_since = 0.0 if is_moving else self.stuck_since or now
        return told if self.stuck_since and now - self.stuck_since > NO_ROOM_SEC else None

    def _answers(self) -> bool:
        with front_doors(self.connection, self.wanted.chain) as doors:
            states = [door_state(door) for door in doors.running()]
        return bool(states) and all(s is not None and s.digest == self.wanted.settings.digest for s in states)


def door_failure(
    connection: Connection, wanted: WantedDoor, template: Template, older: Collection[str] = ()
) -> DeployError | None:
    """Wait until all nodes have the door that is wanted; return why they have not.

    `older` are ids of tasks that were there before: what broke of them tells nothing.
    """
    look = _Look(connection, wanted, digest_in(template), older)
    patience_sec = _START_SEC + _NODE_SEC * len(door_nodes(connection))
    outcome = first_answer(look.outcome, patience_sec, longest_pause_sec=_LOOK_SEC)
    if outcome == "":
        return None
    name = door_name(wanted.chain)
    why = outcome or f"not up after {patience_sec:g} s: {look.late or 'it does not answer'}"
    return DeployError(
        f"The front door {name} did not come up: {why}",
        hint=f"see `docker service ps {name}`, and whether all nodes can pull {wanted.front_door.image}; "
        "then push again",
        details=last_lines(connection, look.failed, name) if look.failed else [],
    )


def door_nodes(connection: Connection) -> list[str]:
    """Return the ids of the nodes on which doors are to be. Raises DeployError when there is none."""
    found = [n.id for n in nodes_of(connection) if n.is_open and n.labels.get(DOOR_LABEL) != "no"]
    if found:
        return found
    raise DeployError(
        "No node of the swarm takes a front door",
        hint=f"look at `docker node ls`; a label {DOOR_LABEL}=no keeps it away from a node",
    )
