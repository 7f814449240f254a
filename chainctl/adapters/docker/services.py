"""Services in; their containers with volumes of secrets started and removed out."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from chainctl.adapters.docker.cache_volume import ensure_cache_volume, own_cache
from chainctl.adapters.docker.data_volume import ensure_data
from chainctl.adapters.docker.labels import SECRETS_PART, data_filler_name, filler_name, shared_volume
from chainctl.adapters.docker.secrets import fill_secrets, remove_secrets, secret_files
from chainctl.adapters.docker.services_body import service_body
from chainctl.adapters.docker.services_room import require_room
from chainctl.adapters.docker.shared_volume import ensure_shared_volume, not_shared
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import Body, create, find_own, remove, signal, start, stop
from chainctl.adapters.docker.target_files import OwnedFile
from chainctl.deploy.devices import Device
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.replication import LEAVE_SEC, LEAVE_SIGNAL
from chainctl.deploy.target import DataSource, Vault
from chainctl.errors import DeployError
from chainctl.events import Emit

_NO_GPU = re.compile(r"could not select device driver|nvidia-container-cli|unresolvable CDI|cdi")
_FALLBACK_PYTHON = "python3"


def start_service(
    connection: Connection,
    spec: ServiceSpec,
    vault: Vault,
    data: DataSource,
    grace_sec: float,
    emit: Emit,
    devices: Sequence[Device] = (),
) -> None:
    """Start a service unless it runs with the same secrets and image; what else has its name is replaced, with its log.

    Raises DeployError when it does not fit on the engine, when its image is not there and when
    the engine refuses it; MissingSecretError before anything is changed; what `data` raises.
    """
    there = find_own(connection, spec.name, spec.chain)
    wanted = (spec.secrets_digest, spec.image)
    if there is not None and there.is_running and (there.labels.get(SECRETS_PART, ""), there.image) == wanted:
        return
    engine = connection.engine.info()
    require_room(spec, engine)
    files = secret_files(spec, vault)
    body = partial(service_body, spec, python_of(connection, spec), engine, grace_sec, devices)
    _remove_service(connection, spec.name)
    is_sharing = ensure_shared_volume(connection, spec.chain, emit)
    with _gpus_explained(spec):
        try:
            _run(connection, spec, body(is_sharing=is_sharing), files, data)
        except DeployError as error:
            if not is_sharing or shared_volume(spec.chain) not in error.message:
                raise
            emit(not_shared(spec.chain, error.message))
            _remove_service(connection, spec.name)
            _run(connection, spec, body(is_sharing=False), files, data)


def let_callers_turn_away(connection: Connection, service: str, chain: str) -> None:
    """Have a replica that runs tell callers to turn to others, and give them the time to notice."""
    there = find_own(connection, service, chain)
    if there is not None and there.is_running:
        signal(connection, service, LEAVE_SIGNAL.name)
        threading.Event().wait(LEAVE_SEC)


def stop_service(connection: Connection, service: str, chain: str, grace_sec: float) -> None:
    """Let a service finish its requests, then remove it with its secrets; one that is gone is gone."""
    there = find_own(connection, service, chain)
    if there is not None and there.is_running:
        stop(connection, service, grace_sec)
    _remove_service(connection, service)


def _run(
    connection: Connection, spec: ServiceSpec, body: Body, secrets: list[OwnedFile], data: DataSource
) -> None:
    """Cut off anywhere, the service is there and stopped, so that whoever looks knows what to remove."""
    ensure_cache_volume(connection, spec)
    create(connection, spec.name, body)
    own_cache(connection, spec, spec.name)
    ensure_data(connection, spec, data)
    fill_secrets(connection, spec, secrets)
    start(connection, spec.name)


def _remove_service(connection: Connection, service: str) -> None:
    """What fills its volumes goes first, as it uses them; the secrets last, as they tell that it was there."""
    remove(connection, filler_name(service))
    remove(connection, data_filler_name(service))
    remove(connection, service)
    remove_secrets(connection, service)


def python_of(connection: Connection, spec: ServiceSpec) -> str:
    """Return the interpreter that the image starts with: the probe runs with the same."""
    from docker.errors import NotFound

    with connection.reading(f"inspect the image {spec.image}"):
        try:
            said = connection.client.inspect_image(spec.image)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            raise DeployError(
                f"The image {spec.image} of {spec.chainlet} is not on the engine",
                hint="push again: it is built then",
            ) from None
    words = said["Config"].get("Entrypoint") or [_FALLBACK_PYTHON]
    return str(words[0])


@contextmanager
def _gpus_explained(spec: ServiceSpec) -> Iterator[None]:
    gpu = spec.resources.gpu
    try:
        yield
    except DeployError as error:
        if gpu is None or not _NO_GPU.search(error.message):
            raise
        raise DeployError(
            f"{spec.chainlet} asks for {gpu.count} GPU{'s' if gpu.count != 1 else ''}, "
            "which the engine can not give",
            hint="install the NVIDIA container toolkit on the engine's machine (`nvidia-ctk runtime "
            "configure`), or name another engine in DOCKER_HOST",
            details=[error.message],
        ) from error
