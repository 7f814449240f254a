"""A ServiceSpec or a front door in; what the template of its Deployment says of its pods out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.door_config import PORT as DOOR_PORT
from chainctl.deploy.door_start import (
    API_KEY_FILE,
    CONFIG_DIR,
    CONFIG_FILE,
    DOOR_SECRETS_DIR,
    DOOR_USER,
    MADE_DIR,
    TLS_FILE,
    TOKEN_FILE,
    start_command,
)
from chainctl.deploy.kubernetes.names import (
    DATA_KEY,
    DOOR_DIGEST,
    cache_name,
    data_name,
    door_annotations,
    door_config_name,
    door_labels,
    door_name,
    door_secret_name,
    door_selector,
    secret_name,
    service_annotations,
    service_labels,
    service_selector,
    workload_name,
)
from chainctl.deploy.kubernetes.nodes import node_terms
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.release import CacheVolume, FrontDoor, Resources, ServiceSpec, Strategy
from chainctl.deploy.service_environment import SECRETS_DIR, USER_ID, service_environment

DOOR_REPLICAS = 2
LEAVE_SEC = 5
"""How long a cluster's name server may go on telling of a pod that is about to end."""
CPU_SHARE = 4
"""A part of a service's CPUs that is as many times smaller is kept free for it."""
_SPARE_SEC = 5
_PROBE_SEC = 2
_LINKS_BYTES = 16 << 20
_DOOR_RESOURCES = Resources(0.5, 128 << 20, 64)
_INTERPRETER = "/proc/1/exe"
"""The very interpreter that runs the service, wherever the image has it."""
_LEAVE = f"import os, signal, time; os.kill(1, signal.SIGWINCH); time.sleep({LEAVE_SEC})"
_DOOR_LEAVE = f"sleep {LEAVE_SEC}; kill -USR1 1; while kill -0 1 2>/dev/null; do sleep 1; done"


@dataclass(frozen=True, slots=True)
class Probe:
    """What the kubelet asks of a pod; without a `path` it only connects."""

    kind: str
    path: str
    period_sec: int
    timeout_sec: int
    failures: int


@dataclass(frozen=True, slots=True)
class Volume:
    """One directory of a pod. `items` are the keys of its source and the files that they become."""

    name: str
    path: str
    kind: str
    source: str = ""
    items: tuple[tuple[str, str], ...] = ()
    mode: int = 0o400
    size: str = ""
    is_read_only: bool = True


def service_pods(spec: ServiceSpec, settings: ClusterSettings) -> dict[str, object]:
    """Return the values for the template of a service's Deployment."""
    count = spec.replicas if spec.scaling is None else spec.scaling.most
    return {
        "name": workload_name(spec.name),
        "namespace": settings.namespace,
        "labels": service_labels(spec),
        "annotations": service_annotations(spec),
        "template_annotations": {},
        "replicas": spec.replicas if spec.scaling is None else None,
        "progress_sec": math.ceil(spec.start_timeout_sec) + 60,
        "selector": service_selector(spec.name, spec.chain),
        "is_recreated": spec.strategy is Strategy.RECREATE,
        "grace_sec": LEAVE_SEC + math.ceil(settings.drain_sec) + _SPARE_SEC,
        "pull_secret": settings.image_pull_secret,
        "node_labels": dict(spec.node_labels),
        "tolerates_gpus": spec.resources.gpu is not None,
        "node_terms": node_terms(spec.resources.gpu, dict(spec.node_labels)),
        "is_spread": count > 1,
        "user": USER_ID,
        "container": "chainlet",
        "image": spec.published or spec.image,
        "command": (),
        "port": SERVICE_PORT,
        "env": [(name, as_said(value)) for name, value in _environment(spec).items()],
        "field_env": [("CHAINCTL_ZONE", "spec.nodeName")],
        "limits": quantities(spec.resources),
        "requests": quantities(asked_for(spec.resources)),
        "probes": _probes(spec.start_timeout_sec),
        "before_stop": [_INTERPRETER, "-I", "-S", "-c", _LEAVE],
        "volumes": list(_volumes(spec)),
    }


def door_pods(chain: str, door: FrontDoor, text: str, settings: ClusterSettings) -> dict[str, object]:
    """Return the values for the template of a front door's Deployment; `text` is its configuration."""
    return {
        "name": door_name(chain),
        "namespace": settings.namespace,
        "labels": door_labels(chain),
        "annotations": door_annotations(door.digest),
        "template_annotations": {DOOR_DIGEST: door.digest},
        "replicas": DOOR_REPLICAS,
        "progress_sec": 120,
        "selector": door_selector(chain),
        "is_recreated": False,
        "grace_sec": LEAVE_SEC + math.ceil(settings.drain_sec) + _SPARE_SEC,
        "pull_secret": settings.image_pull_secret,
        "node_labels": {},
        "tolerates_gpus": False,
        "node_terms": (),
        "is_spread": True,
        "user": DOOR_USER,
        "container": "door",
        "image": door.image,
        "command": [as_said(word) for word in start_command(has_key=door.api_key is not None)],
        "port": DOOR_PORT,
        "env": (),
        "field_env": [("NAMESPACE", "metadata.namespace")],
        "limits": quantities(_DOOR_RESOURCES),
        "requests": quantities(asked_for(_DOOR_RESOURCES)),
        "probes": [Probe("readinessProbe", "", 2, 2, 2), Probe("livenessProbe", "", 10, 5, 3)],
        "before_stop": ["sh", "-c", _DOOR_LEAVE],
        "volumes": [
            Volume(
                "config",
                str(CONFIG_DIR),
                "config",
                door_config_name(chain, text),
                ((CONFIG_FILE,) * 2,),
                0o444,
            ),
            Volume(
                "secrets",
                str(DOOR_SECRETS_DIR),
                "secret",
                door_secret_name(chain, door.digest),
                tuple((key, key) for key in door_secret_keys(door)),
            ),
            Volume("made", str(MADE_DIR), "memory", size="1Mi", is_read_only=False),
        ],
    }


def door_secret_keys(door: FrontDoor) -> tuple[str, ...]:
    """Return the keys that the Secret of a front door has."""
    return (TOKEN_FILE, *([API_KEY_FILE] if door.api_key else []), *([TLS_FILE] if door.tls else []))


def asked_for(resources: Resources) -> Resources:
    """Return what is kept free: memory as it may be taken, and a part of the CPUs, which are shared when all have work.

    With all of them a new release would find no room beside the old one, which has little to do from then on.
    """
    return replace(resources, cpus=resources.cpus / CPU_SHARE)


def quantities(resources: Resources) -> dict[str, str]:
    """Return amounts as Kubernetes writes them."""
    milli = max(1, round(resources.cpus * 1000))
    found = {
        "cpu": f"{milli}m" if milli % 1000 else str(milli // 1000),
        "memory": size_of(resources.memory_bytes),
    }
    return found | ({"nvidia.com/gpu": str(resources.gpu.count)} if resources.gpu else {})


def size_of(count: int) -> str:
    """Write bytes as Kubernetes does, exactly."""
    for unit, shift in (("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return str(count)


def as_said(value: str) -> str:
    """Write a word of a command, or the value of a variable, so that `$(NAME)` in it stands for itself."""
    return value.replace("$", "$$")


def _environment(spec: ServiceSpec) -> dict[str, str]:
    return service_environment(spec, {call.service: workload_name(call.service) for call in spec.calls}, {})


def _probes(start_timeout_sec: float) -> list[Probe]:
    """It is asked whether it has started until it may not take longer, and only then whether it lives."""
    return [
        Probe("startupProbe", "/readyz", _PROBE_SEC, 5, max(1, math.ceil(start_timeout_sec / _PROBE_SEC))),
        Probe("readinessProbe", "/readyz", _PROBE_SEC, 5, 2),
        Probe("livenessProbe", "/healthz", 30, 10, 3),
    ]


def _volumes(spec: ServiceSpec) -> Iterable[Volume]:
    keys = [TOKEN_FILE, *(secret.name for secret in spec.secrets)]
    items = tuple((key, key) for key in sorted(keys))
    yield Volume("tmp", "/tmp", "memory", size=size_of(spec.resources.memory_bytes // 2), is_read_only=False)
    yield Volume("secrets", str(SECRETS_DIR), "secret", secret_name(spec.chain, spec.secrets), items)
    for number, data in enumerate(spec.data, 1):
        source, item = data_name(spec.chain, data.sha256), (DATA_KEY, data.filename)
        yield Volume(f"data-{number}", data.directory, "config", source, (item,), 0o444)
    if spec.cache:
        yield from _cache_volumes(spec.chain, spec.cache)


def _cache_volumes(chain: str, cache: CacheVolume) -> Iterable[Volume]:
    yield Volume("cache", cache.directory, "claim", cache_name(chain, cache.name), is_read_only=False)
    yield Volume("links", cache.folders, "memory", size=size_of(_LINKS_BYTES), is_read_only=False)
