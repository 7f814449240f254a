"""Who has which GPUs of an engine, by what its containers were created with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainctl.adapters.docker.engine_info import EngineInfo, EnginePing, GpuAccess
from chainctl.adapters.docker.gpu_holdings import cdi_devices, device_requests, gpu_holdings
from chainctl.adapters.docker.labels import service_labels
from chainctl.deploy.devices import Device, Holding
from chainctl.deploy.release import Gpu
from tests.unit.adapters.docker.test_observe_body import SPEC

DEVICES = (Device("GPU-aa", 0, "NVIDIA L4", 1), Device("GPU-bb", 1, "NVIDIA L4", 1))
ENGINE = EngineInfo.of(EnginePing("1.41", "linux"), {})
NVIDIA = replace(ENGINE, gpu_access=GpuAccess.NVIDIA_RUNTIME)
NAMES = ("nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=GPU-bb", "nvidia.com/gpu=all")
CDI = replace(ENGINE, gpu_access=GpuAccess.CDI, gpus=NAMES)


def container(
    *requests: dict[str, Any], status: str = "running", labels: dict[str, str] | None = None, **host: Any
) -> dict[str, Any]:
    env = host.pop("env", [])
    return {
        "Name": "/one",
        "Config": {"Labels": labels, "Env": env},
        "State": {"Status": status},
        "HostConfig": {"DeviceRequests": list(requests) or None, **host},
    }


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        (container(), []),
        (container({"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu"]]}), ["GPU-aa"]),
        (container({"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}), ["GPU-aa", "GPU-bb"]),
        (container({"Driver": "", "DeviceIDs": ["1"], "Capabilities": [["gpu"]]}), ["GPU-bb"]),
        (container({"Driver": "nvidia", "DeviceIDs": ["GPU-a"], "Capabilities": [["gpu"]]}), ["GPU-aa"]),
        (container({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}), ["GPU-aa", "GPU-bb"]),
        (container({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=1"]}), ["GPU-bb"]),
        (container({"Driver": "other", "Count": -1}), []),
        (container({"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}, status="exited"), []),
        (container(Runtime="nvidia", env=["NVIDIA_VISIBLE_DEVICES=1"]), ["GPU-bb"]),
        (container(Runtime="nvidia", env=["NVIDIA_VISIBLE_DEVICES=void"]), []),
        (container(env=["NVIDIA_VISIBLE_DEVICES=all"]), []),
    ],
)
def test_strangers_have_what_they_asked_for(said: dict[str, Any], ids: list[str]) -> None:
    """All of each device."""
    assert gpu_holdings([said], DEVICES) == tuple(Holding(one, "one") for one in ids)


def test_a_service_is_known_by_its_labels() -> None:
    """With its share, and where it was when it does not run."""
    gpu = Gpu("L4", 2, 10)
    labels = service_labels(replace(SPEC, resources=replace(SPEC.resources, gpu=gpu)), DEVICES)
    both = tuple(Holding(device.id, "one", 10) for device in DEVICES)
    assert gpu_holdings([container(labels=labels)], DEVICES) == both
    stopped = container(labels=labels, status="exited")
    assert gpu_holdings([stopped], DEVICES) == tuple(replace(one, is_active=False) for one in both)


def test_devices_are_asked_for_by_id() -> None:
    """By the name that the engine has for them, where it knows names."""
    wanted = [{"Driver": "nvidia", "DeviceIDs": ["GPU-aa", "GPU-bb"], "Capabilities": [["gpu"]]}]
    assert device_requests(DEVICES, 2, NVIDIA) == wanted
    assert device_requests(DEVICES, 2, CDI) == [
        {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-bb"]}
    ]
    assert device_requests((), 1, NVIDIA) == [{"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu"]]}]


def test_names_of_one_device_are_one_device() -> None:
    """Numbers and UUIDs stand for the same ones; `all` for none of its own."""
    assert cdi_devices(CDI) == (Device("0", 0), Device("1", 1))
    named = replace(CDI, gpus=("nvidia.com/gpu=GPU-x", "nvidia.com/gpu=all"))
    assert cdi_devices(named) == (Device("GPU-x", 0),)
    assert cdi_devices(ENGINE) == ()
