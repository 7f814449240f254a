"""A front door that is to listen everywhere in; one HAProxy on each node of the swarm, made, changed, removed, out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

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
from chainctl.adapters.docker.front_door_route import closed, open_doors
from chainctl.adapters.docker.labels import CHAINLET, door_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain, start, stop
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.door_body import (
    DoorParts,
    digest_in,
    door_configs,
    door_service,
    door_template,
    is_everywhere,
    port_of,
)
from chainctl.adapters.swarm.door_network import ensure_control_network, remove_control_network
from chainctl.adapters.swarm.door_readiness import door_failure, door_nodes
from chainctl.adapters.swarm.door_tasks import front_doors
from chainctl.adapters.swarm.door_trial import require_accepted
from chainctl.adapters.swarm.files import ensure_configs, ensure_secrets, remove_unused
from chainctl.adapters.swarm.labels import (
    TASK_ROLE,
    route_in,
    route_label,
    secret_name,
    token_name,
)
from chainctl.adapters.swarm.nodes import nodes_of
from chainctl.adapters.swarm.services import (
    Spec,
    SwarmService,
    change_service,
    create_service,
    doors_of,
    remove_service,
)
from chainctl.adapters.swarm.tasks import tasks_of
from chainctl.deploy.door_start import API_KEY_FILE, TLS_FILE, TOKEN_FILE
from chainctl.errors import ChainctlError
from chainctl.events import Emit

_LOOK_SEC = 0.3
_LEAVE_SEC = 15.0


def ensure_swarm_door(connection: Connection, wanted: WantedDoor, emit: Emit, drain_sec: float) -> None:
    """Make the door that is wanted, on each node or as one container of this one, or change what is there.

    It keeps its route, and its port unless one is named. When it does not come up, what was there serves again.
    Raises DeployError.
    """
    service = next(iter(doors_of(connection, wanted.chain)), None)
    require_image(connection, wanted.front_door.image, emit)
    if is_everywhere(wanted.front_door):
        _ensure_service(connection, wanted, service)
    elif service is None:
        ensure_front_door(connection, wanted, emit)
    else:
        require_accepted(connection, wanted, door_configs(wanted.settings, ()), _secrets(wanted))
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
    chain, secrets = wanted.chain, _secrets(wanted)
    configs = door_configs(wanted.settings, ensure_control_network(connection, chain))
    door_nodes(connection)
    parts = DoorParts(
        image=_image_for(connection, wanted.front_door.image),
        secrets=ensure_secrets(connection, chain, secrets),
        configs=ensure_configs(connection, chain, sorted(configs.items())),
        ping=connection.engine.ping,
        grace_sec=HANDOVER_SEC,
    )
    if there is None or not _has(there, wanted, parts, port_of(there.spec)):
        require_accepted(connection, wanted, configs, secrets)
    return parts


def _secrets(wanted: WantedDoor) -> list[tuple[str, str, bytes]]:
    """Return the name in the swarm, the name of the file and the value of each."""
    chain, door, settings = wanted.chain, wanted.front_door, wanted.settings
    found = [(token_name(chain, settings.token), TOKEN_FILE, settings.token.encode())]
    if door.api_key and settings.key is not None:
        found.append((secret_name(chain, door.api_key), API_KEY_FILE, settings.key))
    if door.tls and settings.tls is not None:
        found.append((secret_name(chain, door.tls), TLS_FILE, settings.tls))
    return found


def _has(service: SwarmService, wanted: WantedDoor, parts: DoorParts, port: int | None) -> bool:
    """Say whether a service is the door that is wanted, at a port."""
    template = door_template(wanted.chain, wanted.settings, parts, port or 0)
    return digest_in(service.spec["TaskTemplate"]) == digest_in(template)


def _image_for(connection: Connection, image: str) -> str:
    """Return the image as all nodes get the same: by its digest in a registry, or what this node alone has."""
    with connection.reading(f"inspect the image {image}"):
        said = connection.client.inspect_image(image)  # type: ignore[no-untyped-call]  # so in types-docker
    repository = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    pinned = next((one for one in said.get("RepoDigests") or () if one.startswith(f"{repository}@")), "")
    return pinned or (str(said["Id"]) if len(nodes_of(connection)) == 1 else image)


def _create(connection: Connection, wanted: WantedDoor, parts: DoorParts, kept: KeptDoor) -> None:
    """Make the service at the first port that is free on all nodes."""
    chain, door = wanted.chain, wanted.front_door
    route = route_label(kept.route, kept.replicas)
    for port in ports_for(connection, door, kept.port, _published(connection)):
        template = door_template(chain, wanted.settings, parts, port)
        create_service(connection, door_service(chain, door, template, route))
        failure = door_failure(connection, wanted, template)
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

    older = {task.id for task in tasks_of(connection, [there.id])}
    is_same = _has(there, wanted, parts, port)
    if is_same:
        with front_doors(connection, chain) as doors:
            open_doors(doors)
    else:
        change_service(connection, there.name, chain, edit)
    failure = door_failure(connection, wanted, template, older)
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
    with front_doors(connection, chain) as doors, closed(doors, drain_sec):
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
