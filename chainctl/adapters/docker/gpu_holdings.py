"""The engine's JSON on its containers in; which of them have which GPUs, out. Pure.

Containers of every chain count, and those of strangers: what a request names, or leaves to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chainctl.adapters.docker.engine_info import EngineInfo, GpuAccess
from chainctl.adapters.docker.labels import GPU_DEVICES, GPU_MEMORY
from chainctl.deploy.devices import Device, Holding

_HOLDING_STATES = frozenset(["running", "paused", "restarting"])
_CDI = "/gpu="


def cdi_devices(engine: EngineInfo) -> tuple[Device, ...]:
    """Return the devices that an engine knows by name only. A device may have several: numbers come first."""
    names = sorted({name.partition(_CDI)[2] for name in engine.gpus} - {"all"})
    numbers = sorted(int(name) for name in names if name.isdecimal())
    if numbers:
        return tuple(Device(str(number), number) for number in numbers)
    return tuple(Device(name, index) for index, name in enumerate(names))


def gpu_holdings(inspected: Iterable[Mapping[str, Any]], devices: Sequence[Device]) -> tuple[Holding, ...]:
    """Return who has what. What does not run has nothing, but says by its label where it was."""
    return tuple(holding for said in inspected for holding in _of_one(said, devices))


def device_requests(chosen: Sequence[Device], count: int, engine: EngineInfo) -> list[dict[str, object]]:
    """Return how GPUs are asked for: by id where they were chosen, else so many of them."""
    if engine.gpu_access is GpuAccess.CDI:
        names = [_cdi_name(device, engine.gpus) for device in chosen] or list(engine.gpus[:count])
        return [{"Driver": "cdi", "DeviceIDs": names}]
    which: dict[str, object] = {"DeviceIDs": [device.id for device in chosen]} if chosen else {"Count": count}
    return [{"Driver": "nvidia", **which, "Capabilities": [["gpu"]]}]


def _cdi_name(device: Device, names: Sequence[str]) -> str:
    """Return the name of a device: by its id, else by its number."""
    for word in (device.id, str(device.index)):
        for name in names:
            if name.partition(_CDI)[2] == word:
                return name
    return f"nvidia.com{_CDI}{device.index}"


def _of_one(said: Mapping[str, Any], devices: Sequence[Device]) -> Iterator[Holding]:
    labels = said["Config"].get("Labels") or {}
    is_active = said["State"]["Status"] in _HOLDING_STATES
    holder = said["Name"].lstrip("/")
    memory = labels.get(GPU_MEMORY, "")
    known = {device.id for device in devices}
    ids = [one for one in labels.get(GPU_DEVICES, "").split(",") if one in known]
    if is_active and not ids:
        ids = _requested(said, devices)
    for one in dict.fromkeys(ids):
        yield Holding(one, holder, int(memory) if memory.isdecimal() else None, is_active)


def _requested(said: Mapping[str, Any], devices: Sequence[Device]) -> list[str]:
    host = said["HostConfig"]
    ids = [one for request in host.get("DeviceRequests") or () for one in _in_request(request, devices)]
    if host.get("Runtime") == "nvidia":
        ids += _named(_variable(said, "NVIDIA_VISIBLE_DEVICES").split(","), devices)
    return ids


def _in_request(request: Mapping[str, Any], devices: Sequence[Device]) -> list[str]:
    """The engine gives the first ones where a count is asked for, and all for -1."""
    words = {word for group in request.get("Capabilities") or () for word in group}
    if request.get("Driver") not in ("nvidia", "cdi") and "gpu" not in words:
        return []
    named = [one.rpartition(_CDI)[2] for one in request.get("DeviceIDs") or ()]
    if named:
        return _named(named, devices)
    count = int(request.get("Count") or 0)
    return [device.id for device in (devices if count < 0 else devices[:count])]


def _named(words: Sequence[str], devices: Sequence[Device]) -> list[str]:
    """Find devices by index, by the beginning of an id, or all of them."""
    if "all" in words:
        return [device.id for device in devices]
    return [d.id for d in devices for w in words if w and (w == str(d.index) or d.id.startswith(w))]


def _variable(said: Mapping[str, Any], name: str) -> str:
    pairs = (entry.partition("=") for entry in said["Config"].get("Env") or ())
    return next((value for key, _, value in pairs if key == name), "")
