"""Services, secrets and files in; the names and labels of what a swarm has for them out. Pure.

What was awaited is told by labels of the service, which are outside of what its tasks are made from: to
change them restarts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainctl.adapters.docker.labels import (
    CALLS_PART,
    CHAIN,
    CHAINLET,
    CONFIG_PART,
    GENERATION_PART,
    IMAGE_PART,
    ROLE,
    SECRETS_PART,
    SERVICE,
    chain_labels,
    door_name,
)
from chainctl.deploy.release import SecretRef, ServiceSpec, digest_of

IMAGE = "chainctl.image"
WANTED_IMAGE = "chainctl.wanted.image"
WANTED_SECRETS = "chainctl.wanted.secrets"
TEMPLATE = "chainctl.template"
READY = "chainctl.ready"
FAILED = "chainctl.failed"
SETTINGS = "chainctl.door.settings"
ROUTE = "chainctl.door.route"
DOOR_PORT = "chainctl.door.port"
TASK_ROLE = "task"
HELPER_ROLE = "helper"
GPU_MODEL_LABEL = "chainctl.gpu"
"""The label of nodes that says which model of GPU they have."""
DOOR_LABEL = "chainctl.door"
"""The label of nodes that, as `no`, keeps front doors away from them."""
_DIGEST = 40
_VALUES = ((IMAGE, WANTED_IMAGE), (SECRETS_PART, WANTED_SECRETS))


def service_labels(spec: ServiceSpec, template: str) -> dict[str, str]:
    """Return what can be known of a service without its release; `template` tells what its tasks are made from."""
    return {
        **chain_labels(spec.chain),
        CHAINLET: spec.chainlet,
        SERVICE: spec.name,
        IMAGE_PART: spec.fingerprint.image,
        CONFIG_PART: spec.fingerprint.config,
        CALLS_PART: spec.fingerprint.calls,
        GENERATION_PART: str(spec.fingerprint.generation),
        IMAGE: spec.image,
        SECRETS_PART: spec.secrets_digest,
        WANTED_IMAGE: spec.image,
        WANTED_SECRETS: spec.secrets_digest,
        TEMPLATE: template,
        READY: "0",
    }


def renewed_labels(spec: ServiceSpec, template: str, before: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a service that runs and is given other values: until it is awaited it is as before."""
    kept = {name: before[name] for name in (IMAGE, SECRETS_PART, READY) if name in before}
    return {**service_labels(spec, template), **kept}


def awaited_labels(labels: Mapping[str, str], replicas: int) -> dict[str, str]:
    """Return the labels of a service of which so many replicas are ready, with the values that it was given."""
    return {
        **labels,
        READY: str(max(replicas, awaited_in(labels))),
        IMAGE: labels.get(WANTED_IMAGE, ""),
        SECRETS_PART: labels.get(WANTED_SECRETS, ""),
    }


def awaited_in(labels: Mapping[str, str]) -> int:
    """Return how many replicas were found ready."""
    return int(labels.get(READY) or 0)


def wanted_in(labels: Mapping[str, str]) -> tuple[str, str]:
    """Return the image that a service was given last, and the digest of its secrets."""
    return labels.get(WANTED_IMAGE, ""), labels.get(WANTED_SECRETS, "")


def is_renewed(labels: Mapping[str, str]) -> bool:
    """Say whether a service that was ready has been given other values, which were not awaited yet."""
    has_others = any(labels.get(now) != labels.get(then) for now, then in _VALUES)
    return has_others and awaited_in(labels) > 0


def task_labels(spec: ServiceSpec) -> dict[str, str]:
    """Return the labels of a service's containers."""
    return {**chain_labels(spec.chain), ROLE: TASK_ROLE, CHAINLET: spec.chainlet, SERVICE: spec.name}


def secret_name(chain: str, secret: SecretRef) -> str:
    """Name a value of a secret: another value has another name. The fingerprint is keyed, so it tells nothing."""
    return f"chainctl-{digest_of([CHAIN, chain, secret.name, secret.fingerprint])[:_DIGEST]}"


def token_name(chain: str, token: str) -> str:
    """Name the internal token of a chain, which is random and long: nobody finds it by its digest."""
    return f"chainctl-{digest_of([CHAIN, chain, 'token', token])[:_DIGEST]}"


def config_name(chain: str, sha256: str) -> str:
    """Name a file that services of a chain read."""
    return f"chainctl-{digest_of([CHAIN, chain, 'data', sha256])[:_DIGEST]}"


def control_network_name(chain: str) -> str:
    """Return the name of the network that only the front doors of a chain are in."""
    return f"{door_name(chain)}-control"


def route_label(route: str | None, replicas: int) -> str:
    """Write down where a door leads that starts from now on."""
    return f"{route} {replicas}" if route else ""


def route_in(labels: Mapping[str, str]) -> tuple[str | None, int]:
    """Read back the service, None for none, and over how many replicas its traffic is spread."""
    service, _, replicas = labels.get(ROUTE, "").partition(" ")
    return service or None, int(replicas or 1)
