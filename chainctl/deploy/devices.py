"""GPUs of one host, who holds them, and who asks for some: as frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU. `id` is what the engine or the driver knows it by: its UUID, or its name in CDI.

    `model` is "" and `memory_bytes` None where nobody tells.
    """

    id: str
    index: int
    model: str = ""
    memory_bytes: int | None = None

    def is_a(self, model: str | None) -> bool:
        """Say whether it is of a type: `L4` is NVIDIA L4 and not L40; of an unknown model all may be."""
        if not model or not self.model:
            return True
        return set(_WORDS.findall(model.lower())) <= set(_WORDS.findall(self.model.lower()))


@dataclass(frozen=True, slots=True)
class Holding:
    """One device in the hands of one service or of a stranger's container.

    `memory_bytes` is None for all of the device. What does not run (no `is_active`) holds nothing: it
    says where a service was before.
    """

    device: str
    holder: str
    memory_bytes: int | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class HostDevices:
    """All devices of a host, sorted by index, and who holds them."""

    devices: tuple[Device, ...] = ()
    holdings: tuple[Holding, ...] = ()


@dataclass(frozen=True, slots=True)
class Want:
    """What one service asks for: `count` devices of a type, all of each or `memory_bytes` of each.

    Before it starts the services in `after` have ended. `preferred` are ids of devices it was on.
    """

    chainlet: str
    service: str
    model: str | None
    count: int
    memory_bytes: int | None = None
    after: frozenset[str] = frozenset()
    preferred: tuple[str, ...] = ()
