"""Names and edits in; the services of a swarm found, made, changed and removed out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.labels import CHAIN, CHAINLET, ROLE, Role
from chainctl.adapters.docker.observe_container import epoch
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.labels import FAILED
from chainctl.errors import DeployError

Spec = dict[str, Any]
"""What Swarm calls a ServiceSpec."""
_OUT_OF_SEQUENCE = "update out of sequence"
_ATTEMPTS = 20
_ROLLING = frozenset({"updating", "rollback_started"})
_ROLLED_BACK = frozenset({"rollback_started", "rollback_paused", "rollback_completed"})


@dataclass(frozen=True, slots=True)
class SwarmService:
    """A service as it was when it was asked for. `before` is what it was made from until the last change."""

    id: str
    version: int
    spec: Mapping[str, Any]
    before: Mapping[str, Any] | None
    created: float
    update: str
    update_message: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SwarmService:
        update = said.get("UpdateStatus") or {}
        return cls(
            id=said["ID"],
            version=said["Version"]["Index"],
            spec=said["Spec"],
            before=said.get("PreviousSpec"),
            created=epoch(said.get("CreatedAt", "")),
            update=update.get("State", ""),
            update_message=update.get("Message", ""),
        )

    @property
    def name(self) -> str:
        return str(self.spec["Name"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.spec.get("Labels") or {}

    @property
    def chain(self) -> str:
        return self.labels.get(CHAIN, "")

    @property
    def chainlet(self) -> str:
        return self.labels.get(CHAINLET, "")

    @property
    def is_door(self) -> bool:
        return self.labels.get(ROLE) == Role.DOOR

    @property
    def replicas(self) -> int:
        return int(self.spec["Mode"]["Replicated"]["Replicas"])

    @property
    def has_failed(self) -> bool:
        """Say whether it was given up: nothing of it runs, and its tasks are kept to look into."""
        return FAILED in self.labels

    @property
    def is_rolling(self) -> bool:
        return self.update in _ROLLING

    @property
    def is_rolled_back(self) -> bool:
        """Say whether Swarm gave the last change up."""
        return self.update in _ROLLED_BACK


def services_of(connection: Connection, chain: str) -> list[SwarmService]:
    """Return the services of a chain, sorted by name."""
    return [one for one in _labelled(connection, chain) if not one.is_door]


def doors_of(connection: Connection, chain: str) -> list[SwarmService]:
    """Return the service that is the front door of a chain, none where it is no service."""
    return [one for one in _labelled(connection, chain) if one.is_door]


def _labelled(connection: Connection, chain: str) -> list[SwarmService]:
    with connection.reading(f"list the services of {chain}"):
        said = connection.client.services(filters={"label": f"{CHAIN}={chain}"})  # type: ignore[no-untyped-call]  # so in types-docker
    return sorted((SwarmService.of(one) for one in said), key=lambda service: service.name)


def find_service(connection: Connection, name: str, chain: str) -> SwarmService | None:
    """Return a service of the chain. Raises DeployError when the name is somebody else's."""
    from docker.errors import NotFound

    with connection.reading(f"inspect the service {name}"):
        try:
            said = connection.client.inspect_service(name)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return None
    service = SwarmService.of(said)
    if service.chain == chain:
        return service
    raise DeployError(
        f"A service named {name} exists that does not belong to {chain}",
        hint=f"remove it with `docker service rm {name}` if nobody needs it, then push again",
    )


def create_service(connection: Connection, spec: Spec) -> None:
    """Raises DeployError."""
    with connection.changing(f"create the service {spec['Name']}"):
        connection.client.create_service(  # type: ignore[no-untyped-call]  # so in types-docker
            spec["TaskTemplate"],
            name=spec["Name"],
            labels=spec["Labels"],
            mode=spec["Mode"],
            update_config=spec["UpdateConfig"],
            rollback_config=spec["RollbackConfig"],
            endpoint_spec=spec["EndpointSpec"],
        )


def change_service(
    connection: Connection, name: str, chain: str, edit: Callable[[SwarmService, Spec], Spec | None]
) -> SwarmService | None:
    """Change a service by an edit of its spec; None from the edit, or an equal spec, changes nothing.

    Swarm refuses a change of what it changed meanwhile itself: then the edit is made again. Returns the
    service as it was before, None when there is none. Raises DeployError.
    """
    for left in reversed(range(_ATTEMPTS)):
        service = find_service(connection, name, chain)
        if service is None:
            return None
        spec = edit(service, copy.deepcopy(dict(service.spec)))
        if spec is None or spec == service.spec:
            return service
        try:
            _update(connection, service, spec)
        except DeployError as error:
            if not left or _OUT_OF_SEQUENCE not in error.message:
                raise
        else:
            return service
    return None


def remove_service(connection: Connection, name: str) -> None:
    """Remove a service if there is one; its tasks end by themselves."""
    from docker.errors import NotFound

    with connection.changing(f"remove the service {name}"):
        try:
            connection.client.remove_service(name)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return


def replicated(count: int) -> dict[str, object]:
    return {"Replicated": {"Replicas": count}}


def referenced(services: Sequence[SwarmService], kind: str) -> set[str]:
    """Return the ids of all secrets or configs (`kind`) that services need, or need again when they go back."""
    specs = [service.spec for service in services]
    specs += [s.before for s in services if s.before is not None and s.update not in ("", "completed")]
    containers = [spec["TaskTemplate"]["ContainerSpec"] for spec in specs]
    return {one[f"{kind}ID"] for container in containers for one in container.get(f"{kind}s") or ()}


def _update(connection: Connection, service: SwarmService, spec: Spec) -> None:
    with connection.changing(f"change the service {service.name}"):
        connection.client.update_service(
            service.id,
            version=service.version,
            task_template=spec["TaskTemplate"],
            name=spec["Name"],
            labels=spec["Labels"],
            mode=spec["Mode"],
            update_config=spec.get("UpdateConfig"),
            rollback_config=spec.get("RollbackConfig"),
            endpoint_spec=spec.get("EndpointSpec"),
        )
