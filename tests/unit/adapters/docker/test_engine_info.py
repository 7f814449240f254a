"""What the engine's answers to /_ping and /info are read as."""

from __future__ import annotations

import pytest

from chainctl.adapters.docker.engine_info import EngineInfo, EnginePing, GpuAccess

PING = EnginePing(api_version="1.41", os="linux")
ANSWER: dict[str, object] = {
    "ID": "ABCD",
    "ServerVersion": "20.10.24",
    "OSType": "linux",
    "Architecture": "x86_64",
    "NCPU": 2,
    "MemTotal": 1024,
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Runtimes": {"runc": {}},
}


def test_info_is_read_field_by_field() -> None:
    """An ordinary engine without GPUs."""
    assert EngineInfo.of(PING, ANSWER) == EngineInfo(
        id="ABCD",
        version="20.10.24",
        api_version="1.41",
        os="linux",
        architecture="x86_64",
        cpus=2,
        memory=1024,
        storage_driver="overlay2",
        root_dir="/var/lib/docker",
        is_rootless=False,
        has_buildkit=True,
        gpu_access=GpuAccess.NONE,
    )


def test_rootless_and_gpus_are_seen() -> None:
    """The NVIDIA runtime is preferred; CDI counts only when it found a GPU."""
    devices = [{"Source": "cdi", "ID": "nvidia.com/gpu=1"}, {"ID": "nvidia.com/gpu=0"}, {"ID": "x"}]
    cdi = EngineInfo.of(PING, {**ANSWER, "DiscoveredDevices": devices})
    runtime = EngineInfo.of(PING, {**ANSWER, "Runtimes": {"nvidia": {}}})
    rootless = EngineInfo.of(PING, {**ANSWER, "SecurityOptions": ["name=rootless"]})
    assert (cdi.gpu_access, cdi.gpus) == (GpuAccess.CDI, ("nvidia.com/gpu=0", "nvidia.com/gpu=1"))
    assert runtime.gpu_access is GpuAccess.NVIDIA_RUNTIME
    assert rootless.is_rootless


def test_an_engine_that_says_little_is_no_crash() -> None:
    """Engines that imitate Docker leave fields out or null."""
    info = EngineInfo.of(PING, {"SecurityOptions": None, "NCPU": None, "Runtimes": None})
    assert (info.cpus, info.is_rootless, info.gpu_access) == (0, False, GpuAccess.NONE)


@pytest.mark.parametrize(
    ("headers", "has_buildkit"),
    [
        ({"Api-Version": "1.41", "Ostype": "linux"}, True),
        ({"Api-Version": "1.44", "Ostype": "linux", "Builder-Version": "2"}, True),
        ({"Api-Version": "1.38", "Ostype": "linux"}, False),
        ({"Api-Version": "1.38", "Ostype": "linux", "Builder-Version": "2"}, True),
        ({"Api-Version": "1.44", "Ostype": "windows", "Builder-Version": "1"}, False),
        ({"Api-Version": "odd"}, False),
        ({}, False),
    ],
)
def test_buildkit_is_known_from_the_ping(headers: dict[str, str], has_buildkit: bool) -> None:
    """By its header, or by an API that is new enough on Linux."""
    assert EnginePing.of(headers).has_buildkit is has_buildkit
