"""An open connection in; the GPUs of the engine's machine and who has them, out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.engine_info import EngineInfo, GpuAccess
from chainctl.adapters.docker.gpu_holdings import cdi_devices, gpu_holdings
from chainctl.adapters.docker.labels import GPU_DEVICES
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.nvidia_smi import smi_devices
from chainctl.deploy.devices import Device, HostDevices


def host_gpus(connection: Connection) -> HostDevices | None:
    """Return all GPUs and who has them; None where the engine has none to give, or nobody can name them.

    nvidia-smi is asked where the engine is on this machine; else there are only the names of CDI.
    """
    devices = _devices(connection.engine.info(), connection.engine.address)
    if not devices:
        return None
    return HostDevices(devices, gpu_holdings(containers_with_gpus(connection), devices))


def _devices(engine: EngineInfo, address: EngineAddress) -> tuple[Device, ...]:
    if engine.gpu_access is GpuAccess.NONE:
        return ()
    is_here = address.url.startswith("unix://")
    return (smi_devices(os.environ.get("PATH")) if is_here else None) or cdi_devices(engine)


def containers_with_gpus(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield containers that may have a GPU, of every chain and of strangers; those that are gone are passed over."""
    from docker.errors import NotFound

    with connection.reading("list containers"):
        listed = connection.client.containers(all=True)
    for one in listed:
        if one["State"] in ("exited", "created", "dead") and GPU_DEVICES not in (one.get("Labels") or {}):
            continue
        with connection.reading(f"inspect {one['Id'][:12]}"):
            try:
                said = connection.client.inspect_container(one["Id"])
            except NotFound:
                continue
        yield said
