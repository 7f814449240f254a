"""What the supervisors of this machine know in; its GPUs and which services have them, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chainctl.adapters.local.memory import RunMemory
from chainctl.deploy.devices import Device, Holding

DEVICES_NAME = "CUDA_VISIBLE_DEVICES"
GPUS_NAME = "CHAINCTL_GPUS"
MEMORY_NAME = "CHAINCTL_GPU_MEMORY"


def gpu_env(devices: Sequence[Device], memory_bytes: int | None) -> dict[str, str]:
    """Return the variables of a process that was given devices: CUDA's, and those by which it is known later."""
    if not devices:
        return {}
    ids = ",".join(device.id for device in devices)
    return {DEVICES_NAME: ids, GPUS_NAME: ids, **({MEMORY_NAME: str(memory_bytes)} if memory_bytes else {})}


def gpus_in(env: Mapping[str, str]) -> tuple[tuple[str, ...], int | None]:
    """Read back what `gpu_env` gave."""
    ids = tuple(one for one in env.get(GPUS_NAME, "").split(",") if one)
    memory = env.get(MEMORY_NAME, "")
    return ids, int(memory) if memory.isdecimal() else None


def local_holdings(runs: Iterable[tuple[RunMemory, bool]]) -> Iterator[Holding]:
    """Yield what services have, of chains with what is remembered of each and whether its supervisor lives."""
    for memory, is_supervised in runs:
        for service in memory.services:
            for device in service.gpus:
                is_active = is_supervised and service.is_alive
                yield Holding(device, service.name, service.gpu_memory_bytes, is_active)
