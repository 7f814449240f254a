"""What a service asks for and what the engine has in; nothing, or a DeployError with the numbers, out. Pure."""

from __future__ import annotations

from chainctl.adapters.docker.engine_info import EngineInfo
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.errors import DeployError


def require_room(spec: ServiceSpec, engine: EngineInfo) -> None:
    """Raise DeployError when one service alone asks for more than the whole machine has."""
    wanted = spec.resources
    if engine.cpus and wanted.cpus > engine.cpus:
        raise _too_much(spec, f"{wanted.cpus:g} CPUs", f"{engine.cpus}", "cpu_count")
    if engine.memory and wanted.memory_bytes > engine.memory:
        raise _too_much(
            spec, f"{shown_bytes(wanted.memory_bytes)} of memory", shown_bytes(engine.memory), "memory"
        )
    if engine.gpus and wanted.gpu and wanted.gpu.count > len(engine.gpus):
        raise _too_much(spec, f"{wanted.gpu.count} GPUs", f"{len(engine.gpus)}", "gpu_count")


def _too_much(spec: ServiceSpec, wanted: str, there: str, setting: str) -> DeployError:
    return DeployError(
        f"{spec.chainlet} asks for {wanted}, the engine has {there}",
        hint=f"lower Compute({setting}=…) of {spec.chainlet}, or name a bigger engine in DOCKER_HOST",
    )
