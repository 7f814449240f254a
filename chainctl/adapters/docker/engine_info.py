"""The engine's answers to /_ping and /info in; what chainctl wants to know about it out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

BUILDKIT_SINCE = (1, 39)


class GpuAccess(enum.Enum):
    """How containers get at GPUs on this engine."""

    NONE = "none"
    NVIDIA_RUNTIME = "nvidia"
    CDI = "cdi"


@dataclass(frozen=True, slots=True)
class EnginePing:
    """What the engine says before it is asked anything. `builder` is "" where it does not say."""

    api_version: str
    os: str
    builder: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> EnginePing:
        return cls(
            api_version=headers.get("Api-Version", ""),
            os=headers.get("Ostype", "linux"),
            builder=headers.get("Builder-Version", ""),
        )

    @property
    def has_buildkit(self) -> bool:
        """20.10 builds with BuildKit when asked to, though its header names no builder."""
        return self.os == "linux" and (self.builder == "2" or self.api >= BUILDKIT_SINCE)

    @property
    def api(self) -> tuple[int, ...]:
        """Return the version of the API in numbers, so that it compares."""
        parts = self.api_version.split(".")
        return tuple(int(part) for part in parts if part.isdecimal())


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """One engine and the machine under it. `memory` is bytes; `gpus` are CDI device names."""

    id: str
    version: str
    api_version: str
    os: str
    architecture: str
    cpus: int
    memory: int
    storage_driver: str
    root_dir: str
    is_rootless: bool
    has_buildkit: bool
    gpu_access: GpuAccess
    gpus: tuple[str, ...] = ()

    @classmethod
    def of(cls, ping: EnginePing, info: Mapping[str, object]) -> EngineInfo:
        gpus = _cdi_gpus(info)
        return cls(
            id=str(info.get("ID", "")),
            version=str(info.get("ServerVersion", "")),
            api_version=ping.api_version,
            os=str(info.get("OSType", ping.os)),
            architecture=str(info.get("Architecture", "")),
            cpus=_count(info.get("NCPU")),
            memory=_count(info.get("MemTotal")),
            storage_driver=str(info.get("Driver", "")),
            root_dir=str(info.get("DockerRootDir", "")),
            is_rootless="name=rootless" in _texts(info.get("SecurityOptions")),
            has_buildkit=ping.has_buildkit,
            gpu_access=_gpu_access(info, gpus),
            gpus=gpus,
        )


def _gpu_access(info: Mapping[str, object], gpus: tuple[str, ...]) -> GpuAccess:
    runtimes = info.get("Runtimes")
    if isinstance(runtimes, Mapping) and "nvidia" in runtimes:
        return GpuAccess.NVIDIA_RUNTIME
    return GpuAccess.CDI if gpus else GpuAccess.NONE


def _cdi_gpus(info: Mapping[str, object]) -> tuple[str, ...]:
    devices = info.get("DiscoveredDevices")
    found = devices if isinstance(devices, list) else []
    names = {str(d.get("ID", "")) for d in found if isinstance(d, Mapping)}
    return tuple(sorted(name for name in names if "/gpu=" in name))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
