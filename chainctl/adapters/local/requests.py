"""Operations and a vault in, requests to the supervisor out; the only place that unlocks secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from chainctl.adapters.local.gpus import gpu_env
from chainctl.adapters.local.images import APP, image_directory
from chainctl.adapters.local.paths import LocalPaths
from chainctl.adapters.local.process_env import process_env
from chainctl.adapters.local.protocol import OpenDoor, SplitTraffic, Start, Stop
from chainctl.adapters.local.staging import Staging
from chainctl.deploy.devices import Device
from chainctl.deploy.operations import SplitRoute, StopService
from chainctl.deploy.release import FrontDoor, SecretRef, ServiceSpec, replica_name
from chainctl.deploy.target import Vault
from chainctl.errors import DeployError

_AS_DEPLOYED = Staging()


def start_request(
    spec: ServiceSpec,
    paths: LocalPaths,
    vault: Vault,
    python: str,
    inherited: Mapping[str, str],
    data: Mapping[str, Path],
    devices: Sequence[Device] = (),
    staging: Staging = _AS_DEPLOYED,
) -> Start:
    """Return the order to start a service. Raises DeployError, MissingSecretError."""
    app = image_directory(paths.images, spec.image).absolute() / APP
    if not (app / "shim.py").is_file():
        raise DeployError(f"The image {spec.image} is not on this machine", hint="push again")
    return Start(
        name=spec.name,
        chainlet=spec.chainlet,
        image=spec.image,
        fingerprint=spec.fingerprint,
        secrets_digest=spec.secrets_digest,
        argv=staging.argv(spec.chainlet, python, str(app / "shim.py")),
        cwd=str(app),
        env=staging.environ_of(
            spec.chainlet,
            {
                **process_env(spec, paths.run(spec.chain), app, inherited, data),
                **gpu_env(devices, spec.resources.gpu.memory_bytes if spec.resources.gpu else None),
            },
        ),
        secrets={secret.name: _wrapped(vault, secret) for secret in spec.secrets},
        token=vault.token(spec.chain),
    )


def door_request(chain: str, door: FrontDoor, vault: Vault) -> OpenDoor:
    """Return the order to open a front door. Raises MissingSecretError."""
    return OpenDoor(
        digest=door.digest,
        bind=door.bind,
        port=door.port,
        token=vault.token(chain),
        api_key=None if door.api_key is None else base64.b64encode(vault.value(door.api_key).strip()),
        tls=None if door.tls is None else _wrapped(vault, door.tls),
        holds=door.holds,
    )


def split_request(operation: SplitRoute) -> SplitTraffic:
    """Return the order to split the traffic."""
    return SplitTraffic(
        name=operation.service,
        before=operation.before,
        percent=operation.percent,
        replicas=operation.replicas,
    )


def stop_request(operation: StopService, drain_sec: float) -> Stop:
    """Return the order to stop one replica."""
    name = replica_name(operation.service, operation.replica)
    return Stop(name=name, drain_sec=drain_sec, has_others=operation.has_others)


def _wrapped(vault: Vault, secret: SecretRef) -> bytes:
    return base64.b64encode(vault.value(secret))
