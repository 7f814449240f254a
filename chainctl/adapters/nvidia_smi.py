"""The words of nvidia-smi in; the GPUs of this machine out."""

from __future__ import annotations

import shutil
import subprocess

from chainctl.deploy.devices import Device

TIMEOUT_SEC = 10.0
_QUERY = "--query-gpu=index,uuid,memory.total,name"
_FORMAT = "--format=csv,noheader,nounits"
_MIB = 1 << 20


def smi_devices(search_path: str | None, timeout_sec: float = TIMEOUT_SEC) -> tuple[Device, ...] | None:
    """Ask nvidia-smi which GPUs there are; None where it is not there, or does not say."""
    program = shutil.which("nvidia-smi", path=search_path)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, _QUERY, _FORMAT], capture_output=True, text=True, timeout=timeout_sec, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_smi(done.stdout) or None if done.returncode == 0 else None


def parse_smi(text: str) -> tuple[Device, ...]:
    """Read one device a line: index, UUID, MiB of memory, name. Other lines are none of them."""
    found = (_device([part.strip() for part in line.split(",", 3)]) for line in text.splitlines())
    return tuple(sorted((device for device in found if device is not None), key=lambda d: d.index))


def visible_devices(devices: tuple[Device, ...], wanted: str | None) -> tuple[Device, ...]:
    """Keep those that CUDA_VISIBLE_DEVICES names, by index or by the beginning of a UUID; all without it.

    As in CUDA, the first name that is none hides those after it.
    """
    if wanted is None:
        return devices
    kept = []
    for name in (part.strip() for part in wanted.split(",")):
        named = [d for d in devices if name and (name == str(d.index) or d.id.startswith(name))]
        if len(named) != 1:
            break
        kept += named
    return tuple(sorted(dict.fromkeys(kept), key=lambda d: d.index))


def _device(parts: list[str]) -> Device | None:
    if len(parts) != 4 or not parts[0].isdecimal():
        return None
    index, uuid, memory, name = parts
    return Device(uuid, int(index), name, int(memory) * _MIB if memory.isdecimal() else None)
