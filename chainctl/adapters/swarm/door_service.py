"""A front door that is to listen everywhere in; one HAProxy on each node of the swarm, made, changed, removed, out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainctl.adapters.docker.front_door import (
    HANDOVER_SEC,
    KeptDoor,
    WantedDoor,
    ensure_front_door,
    kept_of,
    remove_front_door,
    settle,
)
from chainctl.adapters.docker.front_door_image import require_image
from chainctl.adapters.docker.front_door_port import is_taken, no_port, ports_for
from chainctl.adapters.docker.front_door_route import close_doors
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.labels import CHAINLET, door_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain, start, stop
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.door_body import (
    DoorParts,
    digest_of_template,
    door_configs,
    door_service,
    door_template,
    is_everywhere,
    port_of,
)
from chainctl.adapters.swarm.door_network import ensure_control_network, remove_control_network
from chainctl.adapters.swarm.door_tasks import front_doors
from chainctl.adapters.swarm.door_trial import require_accepted
from chainctl.adapters.swarm.files import ensure_configs, ensure_secrets, remove_unused
from chainctl.adapters.swarm.labels import (
    DOOR_LABEL,
    TASK_ROLE,
    route_in,
    route_label,
    secret_name,
    token_name,
)
from chainctl.adapters.swarm.nodes import nodes_of
from chainctl.adapters.swarm.readiness import NO_ROOM_SEC, last_lines
from chainctl.adapters.swarm.services import (
    Spec,
    SwarmService,
    change_service,
    create_service,
    doors_of,
    find_service,
    remove_service,
)
from chainctl.adapters.swarm.tasks import Task, tasks_of
from chainctl.deploy.door_start import API_KEY_FILE, TLS_FILE, TOKEN_FILE
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit

_START_SEC = 120.0
_LOOK_SEC = 0.3
_PENDING = "pending"
_LEAVE_SEC = 15.0


def ensure_swarm_door(connection: Connection, wanted: WantedDoor, emit: Emit, drain_sec: float) -> None:
    """Make the door that is wanted, on each node or as one container of this one, or change what is there.

    It keeps its route, and its port unless one is named. When it does not come up, what was there serves again.
    Raises DeployError.
    """
    service = next(iter(doors_of(connection, wanted.chain)), None)
    if is_everywhere(wanted.front_door):
        require_image(connection, wanted.front_door.image, emit)
        _ensure_service(connection, wanted, service)
    elif service is None:
        ensure_front_door(connection, wanted, emit)
    else:
        with _without(connection, service, drain_sec):
            ensure_front_door(connection, wanted, emit, _kept(service))
        remove_control_network(connection, wanted.chain, drain_sec)
        remove_unused(connection, wanted.chain)


def remove_swarm_door(connection: Connection, chain: str, drain_sec: float) -> None:
    """Let requests under way finish, then take the door away, in whatever form; absent is as good."""
    if doors_of(connection, chain):
        _remove(connection, chain, drain_sec)
        remove_unused(connection, chain)
    remove_control_network(connection, chain, drain_sec)
    remove_front_door(connection, chain, drain_sec)


def _ensure_service(connection: Connection, wanted: WantedDoor, there: SwarmService | None) -> None:
    chain, old = wanted.chain, settle(connection, wanted.chain)
    parts = _accepted_parts(connection, wanted, there)
    if there is not None:
        _change(connection, wanted, there, parts)
    elif old is None:
        _create(connection, wanted, parts, KeptDoor())
    else:
        kept = kept_of(connection, wanted, old)
        stop(connection, old.id, HANDOVER_SEC)
        try:
            _create(connection, wanted, parts, kept)
        except ChainctlError:
            if old.is_running:
                start(connection, old.id)
            raise
    if old is not None:
        remove_front_door(connection, chain, 0)
    remove_unused(connection, chain)


def _accepted_parts(connection: Connection, wanted: WantedDoor, there: SwarmService | None) -> DoorParts:
    """Return what a door is made with, once HAProxy has accepted it unless it runs already."""
    chain, door, settings = wanted.chain, wanted.front_door, wanted.settings
    secrets: dict[str, tuple[str, bytes]] = {
        TOKEN_FILE: (token_name(chain, settings.token), settings.token.encode())
    }
    if door.api_key and settings.key is not None:
        secrets[API_KEY_FILE] = (secret_name(chain, door.api_key), settings.key)
    if door.tls and settings.tls is not None:
        secrets[TLS_FILE] = (secret_name(chain, door.tls), settings.tls)
    configs = door_configs(settings, ensure_control_network(connection, chain))
    nodes = _nodes(connection)
    parts = DoorParts(
        image=_image_for(connection, door.image, nodes),
        secrets=ensure_secrets(connection, chain, [(n, file, v) for file, (n, v) in secrets.items()]),
        configs=ensure_configs(connection, chain, sorted(configs.items())),
        ping=connection.engine.ping,
        grace_sec=HANDOVER_SEC,
    )
    if there is None or not _has(there, wanted, parts, port_of(there.spec)):
        values = {file: value for file, (_, value) in secrets.items()}
        require_accepted(connection, chain, door.image, settings, configs, values)
    return parts


def _has(service: SwarmService, wanted: WantedDoor, parts: DoorParts, port: int | None) -> bool:
    """Say whether a service is the door that is wanted, at a port."""
    template = door_template(wanted.chain, wanted.settings, parts, port or 0)
    return _digest(service) == digest_of_template(template)


def _digest(service: SwarmService) -> str:
    return digest_of_template(service.spec["TaskTemplate"])


def _image_for(connection: Connection, image: str, nodes: Sequence[str]) -> str:
    """Return the image as all nodes get the same: by digest; one node alone takes what it has."""
    with connection.reading(f"inspect the image {image}"):
        said = connection.client.inspect_image(image)  # type: ignore[no-untyped-call]  # so in types-docker
    if len(nodes) == 1:
        return str(said["Id"])
    repository = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    return next((one for one in said.get("RepoDigests") or () if one.startswith(f"{repository}@")), image)


def _nodes(connection: Connection) -> list[str]:
    """Return the ids of the nodes on which doors are to be. Raises DeployError when there is none."""
    found = [n.id for n in nodes_of(connection) if n.is_open and n.labels.get(DOOR_LABEL) != "no"]
    if found:
        return found
    raise DeployError(
        "No node of the swarm takes a front door",
        hint=f"look at `docker node ls`; a label {DOOR_LABEL}=no keeps it away from a node",
    )


def _create(connection: Connection, wanted: WantedDoor, parts: DoorParts, kept: KeptDoor) -> None:
    """Make the service at the first port that is free on all nodes."""
    chain, door = wanted.chain, wanted.front_door
    route = route_label(kept.route, kept.replicas)
    for port in ports_for(connection, door, kept.port, _published(connection)):
        template = door_template(chain, wanted.settings, parts, port)
        create_service(connection, door_service(chain, door, template, route))
        failure = _awaited(connection, wanted, template)
        if failure is None:
            return
        remove_service(connection, door_name(chain))
        _await_end(connection, chain)
        if not is_taken(failure):
            raise failure
    raise no_port(door)


def _change(connection: Connection, wanted: WantedDoor, there: SwarmService, parts: DoorParts) -> None:
    """Change the service, whose tasks are replaced one node after another; Swarm goes back when one does not run."""
    chain, door = wanted.chain, wanted.front_door
    port = door.port or port_of(there.spec) or next(ports_for(connection, door, None, _published(connection)))

    template = door_template(chain, wanted.settings, parts, port)

    def edit(service: SwarmService, now: Spec) -> Spec:
        return {**now, **door_service(chain, door, template, route_label(*route_in(service.labels)))}

    is_same = _has(there, wanted, parts, port)
    if not is_same:
        change_service(connection, there.name, chain, edit)
    failure = _awaited(connection, wanted, template)
    if failure is None:
        return
    if not is_same:
        _put_back(connection, chain)
    raise no_port(door) if is_taken(failure) else failure


def _put_back(connection: Connection, chain: str) -> None:
    """Have the door as it was before the last change, where Swarm has not done so itself."""

    def edit(service: SwarmService, now: Spec) -> Spec:
        before = service.before
        return now if before is None or service.is_rolled_back else {**now, **before}

    change_service(connection, door_name(chain), chain, edit)


@contextlib.contextmanager
def _without(connection: Connection, service: SwarmService, drain_sec: float) -> Iterator[None]:
    """Have a service out of the way; what fails brings it back."""
    try:
        _remove(connection, service.chain, drain_sec)
        yield
    except ChainctlError:
        if not doors_of(connection, service.chain):
            create_service(connection, dict(service.spec))
        raise


def _kept(service: SwarmService) -> KeptDoor:
    route, replicas = route_in(service.labels)
    return KeptDoor(port_of(service.spec), route, replicas)


def _remove(connection: Connection, chain: str, drain_sec: float) -> None:
    with front_doors(connection, chain) as doors:
        close_doors(doors, drain_sec)
    remove_service(connection, door_name(chain))
    _await_end(connection, chain)


def _await_end(connection: Connection, chain: str) -> None:
    """Wait until the door on this node has ended, as its port is needed; those on others end by themselves."""

    def has_ended() -> bool | None:
        doors = (
            one for one in of_chain(connection, chain) if one.role == TASK_ROLE and CHAINLET not in one.labels
        )
        return None if any(door.is_running for door in doors) else True

    first_answer(has_ended, HANDOVER_SEC + _LEAVE_SEC, longest_pause_sec=_LOOK_SEC)


def _published(connection: Connection) -> frozenset[int]:
    """Return the ports that services of the swarm have on nodes."""
    with connection.reading("list its published ports"):
        said = connection.client.services()  # type: ignore[no-untyped-call]  # so in types-docker
    ports = (port for one in said for port in (one["Spec"].get("EndpointSpec") or {}).get("Ports") or ())
    return frozenset(port["PublishedPort"] for port in ports if "PublishedPort" in port)


@dataclass(slots=True)
class _Look:
    """The last look at a door that is starting."""

    connection: Connection
    wanted: WantedDoor
    digest: str
    late: str = ""
    failed: Task | None = None
    stuck_since: float = 0.0

    def outcome(self) -> str | None:
        """Return "" when all nodes have the door that is wanted, why they will not have it, None while they start."""
        service = find_service(self.connection, door_name(self.wanted.chain), self.wanted.chain)
        if service is None:
            return "it was removed while it started"
        tasks = tasks_of(self.connection, [service.id])
        mine = sorted((task for task in tasks if task.template == self.digest), key=lambda task: task.created)
        newest: Mapping[str, Task] = {task.node: task for task in mine if task.is_wanted or task.is_broken}
        self.failed = next((task for task in newest.values() if task.is_broken), None)
        if service.is_rolled_back and _digest(service) != self.digest:
            return None if service.is_rolling else f"{self._why()}; the swarm went back to what ran before"
        if self.failed is not None and not service.is_rolling:
            return self._why()
        if stuck := self._stuck(tasks):
            return stuck
        late = [node for node in _nodes(self.connection) if not _is_up(newest.get(node))]
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


def _is_up(task: Task | None) -> bool:
    return task is not None and task.is_running


def _awaited(connection: Connection, wanted: WantedDoor, template: Spec) -> DeployError | None:
    """Wait until all nodes have the door that is wanted; return why they have not."""
    look = _Look(connection, wanted, digest_of_template(template))
    outcome = first_answer(look.outcome, _START_SEC, longest_pause_sec=_LOOK_SEC)
    if outcome == "":
        return None
    name = door_name(wanted.chain)
    why = outcome or f"not up after {_START_SEC:g} s: {look.late or 'it does not answer'}"
    return DeployError(
        f"The front door {name} did not come up: {why}",
        hint=f"see `docker service ps {name}`, and whether all nodes can pull {wanted.front_door.image}; "
        "then push again",
        details=last_lines(connection, look.failed, name) if look.failed else [],
    )
