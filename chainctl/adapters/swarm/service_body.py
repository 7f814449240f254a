"""A ServiceSpec in; what Swarm makes its tasks from out. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.engine_info import EnginePing
from chainctl.adapters.docker.labels import cache_volume, chain_labels, network_name, shared_volume
from chainctl.adapters.docker.services_body import (
    LOG_CONFIG,
    PROBE,
    SHARED_DIR,
    environment,
    shared_options,
)
from chainctl.adapters.swarm.labels import task_labels
from chainctl.adapters.swarm.nodes import constraints
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.service_environment import USER_ID

Template = dict[str, Any]
"""What Swarm calls a TaskSpec."""
UPDATE = {
    "Parallelism": 1,
    "Order": "start-first",
    "Delay": 0,
    "Monitor": 1_000_000_000,
    "MaxFailureRatio": 0.0,
}
"""How replicas are replaced: one after another, each new one ready before an old one ends."""
RESTART_DELAY_SEC = 5
NOWHERE = "node.id == held-after-failure"
"""No node has this id: tasks of a service that failed are kept with their logs, and no more begin."""
_NANO = 1_000_000_000
_INTERVAL_SEC = 0.25
_TIMEOUT_SEC = 30
_RETRIES = 10
_LINKS_BYTES = 16 << 20
_CONFINED_SINCE = (1, 44)
_NODE = "{{.Node.Hostname}}"
"""Filled in by Swarm: who is on the same machine is called first."""


@dataclass(frozen=True, slots=True)
class MountedFile:
    """A secret or config of the swarm, and where a container has it. `id` is what the swarm knows it by."""

    id: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service finds: its image as nodes get it, its interpreter, its secrets and files, the word for GPUs."""

    image: str
    python: str
    ping: EnginePing
    secrets: Sequence[MountedFile]
    configs: Sequence[MountedFile] = ()
    gpu_kind: str | None = None


def task_template(spec: ServiceSpec, around: Surroundings, grace_sec: float) -> Template:
    """Return the template; `grace_sec` is the time between SIGTERM and SIGKILL."""
    return {
        "ContainerSpec": {
            "Image": around.image,
            "Labels": task_labels(spec),
            "User": f"{USER_ID}:{USER_ID}",
            "Env": [*map(_literal, environment(spec, is_sharing=True)), f"CHAINCTL_ZONE={_NODE}"],
            "Init": True,
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "StopSignal": "SIGTERM",
            "StopGracePeriod": round(grace_sec * _NANO),
            "Healthcheck": _healthcheck(around.python, spec.start_timeout_sec),
            "Mounts": _mounts(spec),
            "Secrets": [mounted(one, "Secret", USER_ID) for one in around.secrets],
            "Configs": [mounted(one, "Config", USER_ID) for one in around.configs],
            **privileges(around.ping),
        },
        "Resources": _resources(spec, around.gpu_kind),
        "Placement": {"Constraints": constraints(spec)},
        "RestartPolicy": {"Condition": "any", "Delay": RESTART_DELAY_SEC * _NANO},
        "LogDriver": {"Name": LOG_CONFIG["Type"], "Options": LOG_CONFIG["Config"]},
        "Networks": [{"Target": network_name(spec.chain)}],
    }


def _literal(variable: str) -> str:
    """Swarm takes variables for templates: what looks like one is kept as it is written."""
    return variable.replace("{{", '{{"{{"}}')


def template_digest(template: Template) -> str:
    """Tell one template from another."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]


def _healthcheck(python: str, start_timeout_sec: float) -> dict[str, object]:
    """A task counts as running, and is found by its name, from its first healthy answer on.

    The probe itself waits for readiness, and rests some 8 s once it was ready: so the interval can be short.
    One that does not answer for about two minutes is replaced.
    """
    return {
        "Test": ["CMD", python, "-I", PROBE, "/readyz", "/healthz"],
        "Interval": round(_INTERVAL_SEC * _NANO),
        "Timeout": _TIMEOUT_SEC * _NANO,
        "StartPeriod": round(start_timeout_sec * _NANO),
        "Retries": _RETRIES,
    }


def privileges(ping: EnginePing) -> dict[str, object]:
    return {"Privileges": {"NoNewPrivileges": True}} if ping.api >= _CONFINED_SINCE else {}


def _mounts(spec: ServiceSpec) -> list[dict[str, object]]:
    """Swarm's own tmpfs is not for code that is compiled just in time; a volume without a name is, and goes
    with its container."""
    mounts = [
        _memory("/tmp", f"size={spec.resources.memory_bytes // 2},mode=1777,nosuid,nodev", spec.chain),
        {**_memory(str(SHARED_DIR), shared_options(), spec.chain), "Source": shared_volume(spec.chain)},
    ]
    if spec.cache is not None:
        own = f"size={_LINKS_BYTES},uid={USER_ID},gid={USER_ID},mode=0755,nosuid,nodev,noexec"
        mounts += [
            _memory(spec.cache.folders, own, spec.chain),
            {
                "Type": "volume",
                "Source": cache_volume(spec.chain, spec.cache.name),
                "Target": spec.cache.directory,
                "VolumeOptions": {"NoCopy": True, "Labels": chain_labels(spec.chain)},
            },
        ]
    return mounts


def _memory(target: str, options: str, chain: str) -> dict[str, object]:
    """Return a volume in memory. The label is for those that an engine leaves behind: the chain's end takes them."""
    driver = {"Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": options}}
    return {
        "Type": "volume",
        "Target": target,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": driver, "Labels": chain_labels(chain)},
    }


def mounted(one: MountedFile, kind: str, user_id: int) -> dict[str, object]:
    """Return a file of a container; a secret is its user's only, a config is for all to read."""
    owner, mode = str(user_id), 0o400 if kind == "Secret" else 0o444
    return {
        f"{kind}ID": one.id,
        f"{kind}Name": one.name,
        "File": {"Name": one.path, "UID": owner, "GID": owner, "Mode": mode},
    }


def _resources(spec: ServiceSpec, gpu_kind: str | None) -> dict[str, object]:
    """Memory is kept free for a task as it may take it, and a quarter of the CPUs: a new release comes up beside the
    old one, which has little to do from then on. So Swarm places tasks by the room that there is."""
    wanted = spec.resources
    gpus: dict[str, object] = {}
    if wanted.gpu is not None:
        gpus["GenericResources"] = [
            {"DiscreteResourceSpec": {"Kind": gpu_kind or "gpu", "Value": wanted.gpu.count}}
        ]
    cpus = round(wanted.cpus * _NANO)
    memory = {"MemoryBytes": wanted.memory_bytes}
    return {
        "Limits": {**memory, "NanoCPUs": cpus, "Pids": wanted.pids},
        "Reservations": {**memory, "NanoCPUs": cpus // 4, **gpus},
    }
