"""Chains, services and doors in; the names and labels of what the engine has for them out. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence

from chainctl.deploy.devices import Device
from chainctl.deploy.release import Fingerprint, ServiceSpec, replica_of
from chainctl.errors import UsageError

CHAIN = "chainctl.chain"
CHAINLET = "chainctl.chainlet"
SERVICE = "chainctl.service"
ROLE = "chainctl.role"
DOOR = "chainctl.door"
GPU = "chainctl.gpu"
GPU_DEVICES = "chainctl.gpu.devices"
GPU_MEMORY = "chainctl.gpu.memory"
IMAGE_PART = "chainctl.fingerprint.image"
CONFIG_PART = "chainctl.fingerprint.config"
CALLS_PART = "chainctl.fingerprint.calls"
REPLICA = "chainctl.replica"
GENERATION_PART = "chainctl.fingerprint.generation"
SECRETS_PART = "chainctl.fingerprint.secrets"
INTERCEPT = "chainctl.intercept"

DOOR_ALIAS = "front"
_CHAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class Role(enum.StrEnum):
    """What a container is there for; a filler only carries files into a volume."""

    SERVICE = "service"
    DOOR = "door"
    FILLER = "filler"


def network_name(chain: str) -> str:
    """Return the name of a chain's network. Raises UsageError for what the engine can not name."""
    return f"chainctl-{_checked(chain)}"


def door_name(chain: str) -> str:
    return f"{_checked(chain)}-door"


def retired_door_name(chain: str) -> str:
    """Return the name of a door that is being replaced."""
    return f"{door_name(chain)}-retired"


def door_volume(chain: str) -> str:
    return f"{door_name(chain)}-config"


def shared_volume(chain: str) -> str:
    """Return the name of the volume in memory that all services of a chain have."""
    return f"{network_name(chain)}-shared"


def data_volume(chain: str, sha256: str) -> str:
    """Return the name of the volume that holds one file for all services of a chain."""
    return f"{network_name(chain)}-data-{sha256[:16]}"


def cache_volume(chain: str, name: str) -> str:
    """Return the name of the volume in which the services of a chain keep what they fetch."""
    return f"{network_name(chain)}-cache-{name}"


def secrets_volume(service: str) -> str:
    return f"{service}-secrets"


def filler_name(service: str) -> str:
    return f"{service}-filler"


def data_filler_name(service: str) -> str:
    return f"{filler_name(service)}-data"


def chain_labels(chain: str) -> dict[str, str]:
    """Return the label by which everything of a chain is found."""
    return {CHAIN: chain}


def replica_labels(spec: ServiceSpec) -> dict[str, str]:
    """Return what says of which replica something is."""
    service, replica = replica_of(spec.name)
    return {**chain_labels(spec.chain), CHAINLET: spec.chainlet, SERVICE: service, REPLICA: str(replica)}


def service_labels(spec: ServiceSpec, devices: Sequence[Device] = ()) -> dict[str, str]:
    """Return what can be known of a replica of a service, under its own name, without its release.

    `devices` are GPUs that it was given.
    """
    gpu = spec.resources.gpu
    model = {GPU: gpu.model} if gpu and gpu.model else {}
    if gpu and devices:
        model[GPU_DEVICES] = ",".join(device.id for device in devices)
        model |= {GPU_MEMORY: str(gpu.memory_bytes)} if gpu.memory_bytes else {}
    return {
        **replica_labels(spec),
        ROLE: Role.SERVICE,
        IMAGE_PART: spec.fingerprint.image,
        CONFIG_PART: spec.fingerprint.config,
        CALLS_PART: spec.fingerprint.calls,
        GENERATION_PART: str(spec.fingerprint.generation),
        SECRETS_PART: spec.secrets_digest,
        **model,
    }


def replica_in(labels: Mapping[str, str]) -> int:
    """Read back which replica it is; without a label the only one."""
    return int(labels.get(REPLICA) or 1)


def fingerprint_in(labels: Mapping[str, str]) -> Fingerprint:
    """Read the fingerprint back; a part without a label differs from any."""
    return Fingerprint(
        image=labels.get(IMAGE_PART, ""),
        config=labels.get(CONFIG_PART, ""),
        calls=labels.get(CALLS_PART, ""),
        generation=int(labels.get(GENERATION_PART) or 0),
    )


def _checked(chain: str) -> str:
    if _CHAIN_NAME.fullmatch(chain):
        return chain
    raise UsageError(
        f"{chain!r} can not name a chain on a Docker Engine",
        hint="use at most 63 letters, digits, dots and dashes, and begin with a letter or a digit",
    )
