"""A started service in; the moment when so many replicas are ready, or a DeployError with the evidence, out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.logs_source import LogWriter
from chainctl.adapters.docker.logs_stream import stamped_lines
from chainctl.adapters.docker.readiness import LOG_LINES
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.files import remove_unused
from chainctl.adapters.swarm.labels import awaited_in, awaited_labels, is_renewed
from chainctl.adapters.swarm.services import Spec, SwarmService, change_service, find_service
from chainctl.adapters.swarm.starting import keep_failed, put_back
from chainctl.adapters.swarm.tasks import Task, newest_failure, tasks_of
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.errors import DeployError
from chainctl.wire.log_line import readable

NO_ROOM_SEC = 10.0
"""So long a task may find no node before that counts as a failure: what ends just now makes room."""
_LOOK_SEC = 0.3
_KILLED = 137
NO_NODE = "no suitable node"


@dataclass(slots=True)
class _Look:
    """The last look at a service that is starting."""

    connection: Connection
    spec: ServiceSpec
    replicas: int
    awaited: int = 0
    is_renewal: bool = False
    failed: Task | None = None
    tasks: Sequence[Task] = ()
    homeless_since: float = field(default=0.0)

    def outcome(self) -> str | None:
        """Return "" when enough replicas are ready, why they never will be, None while they start."""
        service = find_service(self.connection, self.spec.name, self.spec.chain)
        if service is None:
            return "it was removed while it started"
        self.awaited = awaited_in(service.labels)
        self.is_renewal = self.is_renewal or is_renewed(service.labels)
        self.tasks = tasks_of(self.connection, [service.id])
        if service.is_rolled_back:
            self.is_renewal = True
            self.failed = max((t for t in self.tasks if t.is_broken), key=lambda t: t.created, default=None)
            return None if service.is_rolling else f"{self._why()}; the swarm went back to what ran before"
        running = sum(task.is_running for task in self.tasks)
        if running >= self.replicas and not service.is_rolling:
            return ""
        return self._failure(service)

    def _failure(self, service: SwarmService) -> str | None:
        if self.replicas > self.awaited or service.has_failed:
            self.failed = newest_failure(self.tasks)
            if self.failed is not None:
                return self._why()
        return self._homeless()

    def _homeless(self) -> str | None:
        """Say why a task finds no node, once that has lasted."""
        told = next((t.error for t in self.tasks if t.is_wanted and NO_NODE in t.error), "")
        if not told:
            self.homeless_since = 0.0
            return None
        now = time.monotonic()
        self.homeless_since = self.homeless_since or now
        return told if now - self.homeless_since > NO_ROOM_SEC else None

    def _why(self) -> str:
        task = self.failed
        if task is None:
            return "its tasks failed"
        if task.exit_code == _KILLED and _is_out_of_memory(self.connection, task):
            return f"was killed: out of memory (limit {shown_bytes(self.spec.resources.memory_bytes)})"
        if task.exit_code:
            return f"exited with code {task.exit_code}"
        return task.error or task.message


def await_replicas(connection: Connection, spec: ServiceSpec, replicas: int) -> None:
    """Wait until so many replicas are ready, and write that down.

    Raises DeployError when one ended, found no node or no image, or took too long. What was never ready is
    held, with its log; of a service that was renewed the older tasks go on.
    """
    look = _Look(connection, spec, replicas)
    outcome = first_answer(look.outcome, _patience(connection, spec), longest_pause_sec=_LOOK_SEC)
    if outcome == "":
        change_service(connection, spec.name, spec.chain, _awaited(replicas))
        return remove_unused(connection, spec.chain)
    last = look.failed or max(look.tasks, key=lambda task: task.created, default=None)
    lines = readable(last_lines(connection, last, spec.name) if last else [])
    why = outcome or _late(spec, last)
    if look.is_renewal:
        put_back(connection, spec)
    elif replicas > look.awaited:
        keep_failed(connection, spec)
    was_ready = look.awaited >= replicas
    raise DeployError(
        f"{spec.chainlet} {'is not' if was_ready else 'did not become'} ready: {why}",
        hint=_hint(spec, why),
        details=[*lines[-LOG_LINES:], *([f"task: {last.error or last.message}"] if last else [])],
    )


def last_lines(connection: Connection, task: Task, name: str) -> list[str]:
    """Return the last lines that a task wrote, [] when it never began."""
    if not task.container:
        return []
    writer = LogWriter(task.id, name, "", is_running=False, kind="tasks")
    with closing(stamped_lines(connection, OpenStreams(), writer, tail=LOG_LINES)) as lines:
        return [line.text for line in lines]


def _awaited(replicas: int) -> Callable[[SwarmService, Spec], Spec]:
    def edit(service: SwarmService, there: Spec) -> Spec:
        there["Labels"] = awaited_labels(service.labels, replicas)
        return there

    return edit


def _patience(connection: Connection, spec: ServiceSpec) -> float:
    """Replicas are renewed one after another, and each may take its time."""
    service = find_service(connection, spec.name, spec.chain)
    is_rolled = service is not None and is_renewed(service.labels)
    return spec.start_timeout_sec * (spec.replicas if is_rolled else 1)


def _late(spec: ServiceSpec, last: Task | None) -> str:
    said = f" (it is {last.state}: {last.error or last.message})" if last and last.state != "starting" else ""
    return f"not ready after {spec.start_timeout_sec:g} s{said}"


def _hint(spec: ServiceSpec, why: str) -> str:
    if NO_NODE in why:
        return "make room, add a node, or lower the Compute of chainlets, then push again"
    if "No such image" in why or "pull" in why:
        return "check that every node reaches the registry of the setting `registry`, then push again"
    return f"see why with `chainctl logs {spec.chain} --chainlet {spec.chainlet}`, then push again"


def _is_out_of_memory(connection: Connection, task: Task) -> bool:
    """Ask the engine that we talk to: it knows, if the task was there."""
    container = find(connection, task.container) if task.container else None
    return container is not None and container.is_oom_killed
