"""Services in; what Swarm is told so that so many replicas of them run, or none, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainctl.adapters.docker.services import python_of
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.adapters.swarm.cache import ensure_cache, require_cache
from chainctl.adapters.swarm.files import (
    data_contents,
    ensure_data,
    ensure_secrets,
    remove_unused,
    secret_values,
)
from chainctl.adapters.swarm.labels import (
    FAILED,
    READY,
    TEMPLATE,
    awaited_in,
    renewed_labels,
    service_labels,
    wanted_in,
)
from chainctl.adapters.swarm.nodes import Node, gpu_kind, nodes_of, require_image, require_place
from chainctl.adapters.swarm.service_body import (
    NOWHERE,
    UPDATE,
    Surroundings,
    Template,
    task_template,
    template_digest,
)
from chainctl.adapters.swarm.services import (
    Spec,
    SwarmService,
    change_service,
    create_service,
    find_service,
    remove_service,
    replicated,
)
from chainctl.adapters.swarm.tasks import tasks_of
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DataSource, Vault

_PATIENCE_SEC = 5.0
_LOOK_SEC = 0.3
_PLACED_SEC = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """A service that is to have at least so many replicas; with `renews` what runs of it is replaced, one by one."""

    spec: ServiceSpec
    replicas: int
    renews: bool = False


def start_replicas(
    connection: Connection, start: Start, vault: Vault, data: DataSource, grace_sec: float
) -> None:
    """Make a service, or give the one there is more replicas, or other values; one that is as wanted stays.

    Raises DeployError when no node can run it, MissingSecretError, and what `data` raises: all of them
    before anything is changed.
    """
    spec = start.spec
    nodes = nodes_of(connection)
    require_place(spec, nodes)
    require_image(spec, nodes)
    require_cache(spec, nodes)
    template = _template(connection, spec, nodes, vault, data, grace_sec)
    digest = template_digest(template)
    ensure_cache(connection, spec)
    _await_placed(connection, spec.name)

    def edit(service: SwarmService, there: Spec) -> Spec:
        count = start.replicas if service.has_failed else max(start.replicas, service.replicas)
        there["Mode"] = replicated(count)
        if _is_as_wanted(service, start, digest):
            return there
        is_serving = awaited_in(service.labels) > 0 and not service.has_failed
        labels = service_labels(spec, digest)
        there["Labels"] = renewed_labels(spec, digest, service.labels) if is_serving else labels
        forced = int(there["TaskTemplate"].get("ForceUpdate", 0))
        there["TaskTemplate"] = {**template, "ForceUpdate": forced + service.has_failed}
        there["UpdateConfig"] = {**UPDATE, "FailureAction": "rollback" if is_serving else "pause"}
        return there

    if change_service(connection, spec.name, spec.chain, edit) is None:
        create_service(connection, _new_service(spec, template, digest, start.replicas))


def stop_replicas(connection: Connection, service: str, chain: str, left: int) -> None:
    """Leave the first replicas of a service; with none left it goes, with its secrets.

    The others finish their requests by themselves, for as long as they were given when they were made.
    """
    if left > 0:
        change_service(connection, service, chain, _with_at_most(left))
    elif find_service(connection, service, chain) is not None:
        remove_service(connection, service)
        remove_unused(connection, chain)


def await_room(connection: Connection, service: str, chain: str, grace_sec: float) -> None:
    """End all replicas of a service and wait until they have, because another one needs their room."""
    change_service(connection, service, chain, _with_at_most(0))
    first_answer(
        lambda: _have_ended(connection, service), grace_sec + _PATIENCE_SEC, longest_pause_sec=_LOOK_SEC
    )


def keep_failed(connection: Connection, spec: ServiceSpec) -> None:
    """Let no task of a service begin any more, and keep those that ended, with their logs.

    Replicas that were ready before go on: then only the others go.
    """

    def edit(service: SwarmService, there: Spec) -> Spec:
        if awaited_in(service.labels):
            return _with_at_most(awaited_in(service.labels))(service, there)
        there["Labels"] = {**service.labels, FAILED: "1"}
        there["TaskTemplate"]["Placement"] = {"Constraints": [NOWHERE]}
        there["UpdateConfig"] = {**UPDATE, "Order": "stop-first", "Parallelism": 0, "FailureAction": "pause"}
        return there

    change_service(connection, spec.name, spec.chain, edit)


def put_back(connection: Connection, spec: ServiceSpec) -> None:
    """Give a service the values again that it had before it was renewed."""

    def edit(service: SwarmService, there: Spec) -> Spec:
        return {**there, **service.before} if service.before is not None else there

    change_service(connection, spec.name, spec.chain, edit)


def _is_as_wanted(service: SwarmService, start: Start, digest: str) -> bool:
    """Say whether tasks of it are what is wanted; one that serves is not replaced only for being made otherwise."""
    if service.has_failed:
        return False
    is_kept = awaited_in(service.labels) > 0 and not start.renews
    wanted = (start.spec.image, start.spec.secrets_digest)
    return service.labels.get(TEMPLATE) == digest or (is_kept and wanted_in(service.labels) == wanted)


def _with_at_most(count: int) -> Callable[[SwarmService, Spec], Spec]:
    def edit(service: SwarmService, there: Spec) -> Spec:
        left = min(count, service.replicas)
        there["Mode"] = replicated(left)
        there["Labels"] = {**service.labels, READY: str(min(left, awaited_in(service.labels)))}
        return there

    return edit


def _await_placed(connection: Connection, service: str) -> None:
    """Wait a moment until the tasks that there are have a node, or a reason why they have none.

    A service that is changed while Swarm looks for a node may keep a task that is looked at no more, until
    something else happens in the swarm (seen with 20.10, some ten milliseconds after the service was made).
    """

    def are_placed() -> bool | None:
        is_sought = (task.is_wanted and task.is_unplaced for task in tasks_of(connection, [service]))
        return None if any(is_sought) else True

    first_answer(are_placed, _PLACED_SEC, longest_pause_sec=_LOOK_SEC)


def _have_ended(connection: Connection, service: str) -> bool | None:
    is_left = any(not task.has_ended and task.container for task in tasks_of(connection, [service]))
    return None if is_left else True


def _template(
    connection: Connection,
    spec: ServiceSpec,
    nodes: list[Node],
    vault: Vault,
    data: DataSource,
    grace_sec: float,
) -> Template:
    python = python_of(connection, spec)
    values = secret_values(spec, vault)
    contents = data_contents(spec, data)
    around = Surroundings(
        image=spec.published or _image_id(connection, spec),
        python=python,
        ping=connection.engine.ping,
        secrets=ensure_secrets(connection, spec.chain, values),
        configs=ensure_data(connection, spec.chain, contents, data),
        gpu_kind=gpu_kind(nodes),
    )
    return task_template(spec, around, grace_sec)


def _image_id(connection: Connection, spec: ServiceSpec) -> str:
    """Return what no node looks for elsewhere."""
    with connection.reading(f"inspect the image {spec.image}"):
        return str(connection.client.inspect_image(spec.image)["Id"])  # type: ignore[no-untyped-call]  # so in types-docker


def _new_service(spec: ServiceSpec, template: Template, digest: str, replicas: int) -> Spec:
    return {
        "Name": spec.name,
        "Labels": service_labels(spec, digest),
        "TaskTemplate": template,
        "Mode": replicated(replicas),
        "UpdateConfig": {**UPDATE, "FailureAction": "pause"},
        "RollbackConfig": {**UPDATE, "FailureAction": "pause"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }
