"""Facts in; findings about the engine out: whether it answers, what it builds with, what it has room for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from chainctl.adapters.docker.engine_info import EngineInfo, GpuAccess
from chainctl.adapters.host_facts import EngineFacts, EngineSilence, GpuFacts, Unreachable
from chainctl.cli.diagnosis_finding import Facts, Finding, Status
from chainctl.cli.diagnosis_host import disk_finding

GIB = 1024**3
_SMALLEST_MEMORY = 2 * GIB  # what one chainlet gets unless it says otherwise
_WITHOUT = {
    "auto": "chains run as local processes",
    "kubernetes": "images can not be built, and those that are published can be released",
}
_GPU_TOOLKIT = (
    "install nvidia-container-toolkit, then"
    " `sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker`"
)


def engine_findings(facts: Facts) -> Iterator[Finding]:
    """Report on the engine; all that depends on it is skipped when it does not answer."""
    yield _engine(facts)
    if isinstance(facts.engine, EngineFacts):
        yield _builder(facts.builder, facts.engine.info)
        yield _disk(facts.engine, is_here=facts.is_engine_here)
        yield _machine(facts.engine.info)
        yield _gpu(facts.engine.info, facts.gpus, is_here=facts.is_engine_here)
        yield from _images(facts, facts.engine)
    else:
        yield from (
            Finding(check, Status.SKIP, "no engine") for check in ("builder", "engine disk", "machine")
        )
        yield _host_gpu(facts.gpus)
        yield from (Finding(check, Status.SKIP, "no engine") for check in ("base image", "front door image"))


def _engine(facts: Facts) -> Finding:
    match facts.engine:
        case None:
            return Finding("engine", Status.SKIP, "not asked: the target is local")
        case EngineSilence() as silence:
            is_needed = facts.is_engine_needed
            instead = "" if is_needed else f"; {_WITHOUT.get(facts.target, _WITHOUT['auto'])}"
            asked = f"; asked: {facts.address}" if facts.address else ""
            found = f"{silence.message}{asked}{instead}"
            return Finding("engine", Status.FAIL if is_needed else Status.WARN, found, _mending(silence))
        case EngineFacts(info=info):
            rootless = ", rootless" if info.is_rootless else ""
            what = f"{info.version}, API {info.api_version}, {info.os}/{info.architecture}{rootless}"
            if info.os != "linux":
                fix = "switch the engine to Linux containers"
                return Finding("engine", Status.FAIL, f"{what} at {facts.address}", fix)
            return Finding("engine", Status.OK, f"{what} at {facts.address}")
        case unknown:
            assert_never(unknown)


def _mending(silence: EngineSilence) -> str:
    if silence.other_sockets:
        return f"another engine may listen here: `export DOCKER_HOST=unix://{silence.other_sockets[0]}`"
    match silence.reason:
        case Unreachable.NO_PERMISSION:
            return (
                "`sudo usermod -aG docker $USER`, then log in again; or run an engine of your own:"
                " `dockerd-rootless-setuptool.sh install`"
            )
        case Unreachable.NOT_RUNNING:
            return "`sudo systemctl start docker`, or start Docker Desktop; another engine: `export DOCKER_HOST=…`"
        case Unreachable.TOO_LATE:
            return "see whether `docker info` hangs too; for a slow one: `chainctl doctor --timeout 10`"
        case Unreachable.OTHER:
            return silence.hint
        case unknown:
            assert_never(unknown)


def _builder(wanted: str, info: EngineInfo) -> Finding:
    has_buildkit = info.has_buildkit
    if wanted == "buildkit" and not has_buildkit:
        found = "the setting `builder` asks for BuildKit, which this engine does not have"
        return Finding("builder", Status.FAIL, found, 'set `builder = "auto"`, or upgrade the engine')
    is_buildkit = has_buildkit and wanted != "classic"
    why = "the engine has no BuildKit" if wanted == "auto" and not has_buildkit else f"setting: {wanted}"
    return Finding("builder", Status.OK, f"{'BuildKit' if is_buildkit else 'classic'} ({why})")


def _disk(engine: EngineFacts, *, is_here: bool) -> Finding:
    if engine.disk is None:
        where = "in a virtual machine" if is_here else "on another machine"
        return Finding("engine disk", Status.SKIP, f"the engine keeps its data {where}")
    return disk_finding(
        "engine disk", engine.disk, "`docker image prune` and `docker builder prune` free some"
    )


def _machine(info: EngineInfo) -> Finding:
    found = f"{info.cpus} CPUs, {info.memory / GIB:.1f} GiB of memory"
    if info.memory < _SMALLEST_MEMORY:
        fix = 'ask for less where 2Gi is too much: `Compute(memory="512Mi")`'
        return Finding("machine", Status.WARN, found, fix)
    return Finding("machine", Status.OK, found)


def _gpu(info: EngineInfo, host: GpuFacts, *, is_here: bool) -> Finding:
    is_given = info.gpu_access is not GpuAccess.NONE
    by = "CDI" if info.gpu_access is GpuAccess.CDI else "the NVIDIA runtime"
    if not is_here:
        return Finding("GPU", *((Status.OK, f"the engine has {by}") if is_given else _NO_GPU))
    if is_given and host.names:
        return Finding("GPU", Status.OK, f"{', '.join(host.names)}, given by {by}")
    if is_given:
        found = f"the engine has {by}, but {_silence(host)}"
        return Finding(
            "GPU", Status.WARN, found, "install the NVIDIA driver, until `nvidia-smi` lists the GPUs"
        )
    if host.names:
        found = f"{', '.join(host.names)} here, but the engine gives containers no access"
        return Finding("GPU", Status.WARN, found, _GPU_TOOLKIT)
    return _host_gpu(host)


def _host_gpu(host: GpuFacts) -> Finding:
    if host.names:
        return Finding("GPU", Status.OK, f"{', '.join(host.names)}, for local processes")
    if host.error:
        return Finding("GPU", Status.WARN, _silence(host), "run `nvidia-smi`, and mend what it says")
    return Finding("GPU", *_NO_GPU)


_NO_GPU = (Status.SKIP, "none here")


def _silence(host: GpuFacts) -> str:
    if not host.has_smi:
        return "there is no nvidia-smi here"
    return f"nvidia-smi says: {host.error}" if host.error else "nvidia-smi lists no GPU"


def _images(facts: Facts, engine: EngineFacts) -> Iterator[Finding]:
    there = dict(engine.images)
    for check, name in (("base image", facts.base_image), ("front door image", facts.door_image)):
        if there.get(name, False):
            yield Finding(check, Status.OK, f"{name} is on the engine")
        else:
            found = f"{name} is not on the engine; a push will pull it"
            yield Finding(check, Status.WARN, found, f"`docker pull {name}`")
