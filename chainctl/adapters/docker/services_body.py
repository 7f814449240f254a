"""A ServiceSpec in; the JSON that creates its container out. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from chainctl.adapters.docker.engine_info import EngineInfo
from chainctl.adapters.docker.gpu_holdings import device_requests
from chainctl.adapters.docker.labels import (
    ROLE,
    Role,
    cache_volume,
    chain_labels,
    data_volume,
    network_name,
    replica_labels,
    secrets_volume,
    service_labels,
    shared_volume,
)
from chainctl.adapters.docker.target_containers import Body
from chainctl.deploy.devices import Device
from chainctl.deploy.release import CacheVolume, DataMount, Gpu, ServiceSpec, replica_of
from chainctl.deploy.service_environment import SECRETS_DIR, USER_ID, service_environment
from chainctl.deploy.shared_memory import shared_bytes

SHARED_DIR = PurePosixPath("/run/chainctl/shared")
PROBE = "/app/chainctl/server/probe.py"
_HEALTH_INTERVAL_SEC = 30
_HEALTH_TIMEOUT_SEC = 10
_NANO = 1_000_000_000
_LINKS_BYTES = 16 << 20
SHARED_BYTES = 1 << 30
LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def service_body(
    spec: ServiceSpec,
    python: str,
    engine: EngineInfo,
    grace_sec: float,
    devices: Sequence[Device] = (),
    *,
    is_sharing: bool,
) -> Body:
    """Return the container of a replica, under its own name; it is let restart only once it has been ready.

    `python` is the image's interpreter, `grace_sec` the time between SIGTERM and SIGKILL, `devices` are
    the GPUs that it was given; `is_sharing` says whether there is a volume through which the chain's
    services share memory.
    """
    return {
        "Image": spec.image,
        "User": f"{USER_ID}:{USER_ID}",
        "Env": environment(spec, is_sharing=is_sharing),
        "Labels": service_labels(spec, devices),
        "StopSignal": "SIGTERM",
        "StopTimeout": round(grace_sec),
        "Healthcheck": _healthcheck(python, spec.start_timeout_sec),
        "HostConfig": {
            **_limits(spec),
            **confinement(),
            "Init": True,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": LOG_CONFIG,
            "NetworkMode": network_name(spec.chain),
            "Tmpfs": {"/tmp": _tmpfs(spec.resources.memory_bytes // 2), **_folders(spec.cache)},
            "Mounts": [
                secrets_mount(spec, is_read_only=True),
                *([_shared_mount(spec.chain)] if is_sharing else []),
                *(data_mount(spec.chain, one, one.directory, is_read_only=True) for one in spec.data),
                *([cache_mount(spec.chain, spec.cache)] if spec.cache else []),
            ],
            "DeviceRequests": _devices(spec.resources.gpu, devices, engine),
        },
        "NetworkingConfig": {"EndpointsConfig": {network_name(spec.chain): {"Aliases": aliases(spec.name)}}},
    }


def aliases(name: str) -> list[str]:
    """Return what a replica is called in its network: as all of its service, which is what callers ask for,
    and by its number, which is what the door asks for."""
    service, replica = replica_of(name)
    return [service, f"{service}.{replica}"]


def filler_body(spec: ServiceSpec, mount: dict[str, object]) -> Body:
    """Return a container that is never started: through it files get into a volume."""
    return {
        "Image": spec.image,
        "Labels": {**chain_labels(spec.chain), ROLE: Role.FILLER},
        "HostConfig": {"NetworkMode": "none", "Mounts": [mount]},
    }


def environment(spec: ServiceSpec, *, is_sharing: bool) -> list[str]:
    """Return the variables of a service; those that chainctl sets win."""
    told = service_environment(spec, {}, {**_sleepers(spec), **(_sharing(spec) if is_sharing else {})})
    return [f"{name}={value}" for name, value in told.items()]


def _sleepers(spec: ServiceSpec) -> dict[str, str]:
    return {"CHAINCTL_SLEEPERS": json.dumps(spec.sleepers)} if spec.sleepers else {}


def secrets_mount(spec: ServiceSpec, *, is_read_only: bool) -> dict[str, object]:
    return {
        "Type": "volume",
        "Source": secrets_volume(spec.name),
        "Target": str(SECRETS_DIR),
        "ReadOnly": is_read_only,
        "VolumeOptions": {"NoCopy": True, "Labels": replica_labels(spec)},
    }


def data_mount(chain: str, data: DataMount, target: str, *, is_read_only: bool) -> dict[str, object]:
    return {
        "Type": "volume",
        "Source": data_volume(chain, data.sha256),
        "Target": target,
        "ReadOnly": is_read_only,
        "VolumeOptions": {"NoCopy": True, "Labels": chain_labels(chain)},
    }


def _shared_mount(chain: str) -> dict[str, object]:
    return {
        "Type": "volume",
        "Source": shared_volume(chain),
        "Target": str(SHARED_DIR),
        "ReadOnly": False,
        "VolumeOptions": {"NoCopy": True, "Labels": chain_labels(chain)},
    }


def shared_options() -> str:
    """Return how the memory that services share is mounted."""
    return f"size={SHARED_BYTES},uid={USER_ID},gid={USER_ID},mode=0700,nosuid,nodev,noexec"


def cache_mount(chain: str, cache: CacheVolume) -> dict[str, object]:
    return {
        "Type": "volume",
        "Source": cache_volume(chain, cache.name),
        "Target": cache.directory,
        "ReadOnly": False,
        "VolumeOptions": {"NoCopy": True, "Labels": chain_labels(chain)},
    }


def _folders(cache: CacheVolume | None) -> dict[str, str]:
    """Return where the links are: each container has its own, so that no other release changes them."""
    options = f"rw,nosuid,nodev,noexec,mode=0755,uid={USER_ID},gid={USER_ID},size={_LINKS_BYTES}"
    return {cache.folders: options} if cache else {}


def _sharing(spec: ServiceSpec) -> dict[str, str]:
    return {
        "CHAINCTL_SHARED_DIR": str(SHARED_DIR),
        "CHAINCTL_SHARED_BYTES": str(shared_bytes(spec.resources.memory_bytes)),
    }


def _limits(spec: ServiceSpec) -> dict[str, object]:
    """Memory and swap together are the memory, so there is no swap."""
    wanted = spec.resources
    return {
        "NanoCpus": round(wanted.cpus * _NANO),
        "Memory": wanted.memory_bytes,
        "MemorySwap": wanted.memory_bytes,
        "PidsLimit": wanted.pids,
    }


def confinement() -> dict[str, object]:
    """Return what keeps a container from all that it does not need."""
    return {
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": ["ALL"],
        "ReadonlyRootfs": True,
    }


def _tmpfs(size: int) -> str:
    """Code may run from /tmp: just-in-time compilers put their libraries there."""
    return f"rw,exec,nosuid,nodev,mode=1777,size={size}"


def _devices(gpu: Gpu | None, chosen: Sequence[Device], engine: EngineInfo) -> list[dict[str, object]]:
    return [] if gpu is None else device_requests(chosen, gpu.count, engine)


def _healthcheck(python: str, start_timeout_sec: float) -> dict[str, object]:
    return {
        "Test": ["CMD", python, "-I", PROBE, "/healthz"],
        "Interval": _HEALTH_INTERVAL_SEC * _NANO,
        "Timeout": _HEALTH_TIMEOUT_SEC * _NANO,
        "StartPeriod": round(start_timeout_sec * _NANO),
        "Retries": 3,
    }
