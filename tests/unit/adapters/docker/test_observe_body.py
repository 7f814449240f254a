"""The JSON that containers are created with: everything that confines them, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chainctl.adapters.docker.engine_info import EngineInfo, EnginePing, GpuAccess
from chainctl.adapters.docker.front_door_body import door_body
from chainctl.adapters.docker.services_body import environment, filler_body, secrets_mount, service_body
from chainctl.adapters.docker.services_room import require_room
from chainctl.deploy.release import Call, Fingerprint, FrontDoor, Gpu, Resources, SecretRef, ServiceSpec
from chainctl.deploy.shared_memory import shared_bytes
from chainctl.deploy.sizes import shown_bytes
from chainctl.errors import DeployError

GIB = 1 << 30
ENGINE = EngineInfo.of(EnginePing("1.41", "linux"), {"NCPU": 4, "MemTotal": 8 * GIB})
SPEC = ServiceSpec(
    name="tchain-hello-11111111",
    chain="tchain",
    chainlet="Hello",
    image="tchain/hello:abc",
    resources=Resources(cpus=1.5, memory_bytes=2 * GIB, pids=100),
    env=(("CHAINCTL_CHAIN", "forged"), ("MODE", "fast")),
    secrets=(SecretRef("hf_key", "f"),),
    calls=(Call("Say Hello", "tchain-say-hello-22222222"),),
    start_timeout_sec=600,
    fingerprint=Fingerprint("tchain/hello:abc", "c0", "e0"),
)


def shown(body: dict[str, object]) -> str:
    return json.dumps(body, indent=2, sort_keys=True) + "\n"


def devices(gpu: Gpu | None, engine: EngineInfo = ENGINE) -> object:
    spec = replace(SPEC, resources=replace(SPEC.resources, gpu=gpu))
    body = service_body(spec, "python3", engine, 30, is_sharing=True)
    host = body["HostConfig"]
    assert isinstance(host, dict)
    return host["DeviceRequests"]


def test_a_service(golden: Callable[[str, str], None]) -> None:
    """Limits, confinement, labels, health check, network and the mount of secrets."""
    golden("docker/service.json", shown(service_body(SPEC, "python3", ENGINE, 30, is_sharing=True)))


def test_a_front_door(golden: Callable[[str, str], None]) -> None:
    """Published where it was asked for, and nothing of its key in it."""
    door = FrontDoor(api_key=SecretRef("api_key", "f"))
    golden("docker/front_door.json", shown(door_body("tchain", door, 8100)))


def test_a_filler(golden: Callable[[str, str], None]) -> None:
    """The only container that may write the secrets, and it never starts."""
    golden("docker/filler.json", shown(filler_body(SPEC, secrets_mount(SPEC, is_read_only=False))))


def test_what_chainctl_tells_a_service_can_not_be_overruled() -> None:
    """A variable of the user's with the same name loses."""
    assert environment(SPEC, is_sharing=False) == [
        "CHAINCTL_CHAIN=tchain",
        "CHAINCTL_CHAINLET=Hello",
        "CHAINCTL_CONTROL=/tmp/.chainctl-control",
        "CHAINCTL_SERVICE=tchain-hello-11111111",
        'CHAINCTL_SERVICES={"Say Hello": "http://tchain-say-hello-22222222:8080"}',
        "MODE=fast",
    ]


def test_a_service_is_told_who_may_sleep() -> None:
    """By the names of the chainlets that it calls; where none may it is told nothing."""
    calls = tuple(replace(call, may_sleep=True) for call in SPEC.calls)
    told = set(environment(replace(SPEC, calls=calls), is_sharing=False))
    assert told - set(environment(SPEC, is_sharing=False)) == {'CHAINCTL_SLEEPERS=["Say Hello"]'}


def test_a_service_may_run_without_shared_memory() -> None:
    """Nothing but the mount and the variables that tell of it differs."""
    with_it = service_body(SPEC, "python3", ENGINE, 30, is_sharing=True)
    without = service_body(SPEC, "python3", ENGINE, 30, is_sharing=False)
    told = set(environment(SPEC, is_sharing=True)) - set(environment(SPEC, is_sharing=False))
    assert told == {"CHAINCTL_SHARED_DIR=/run/chainctl/shared", f"CHAINCTL_SHARED_BYTES={256 << 20}"}
    host, bare = with_it.pop("HostConfig"), without.pop("HostConfig")
    assert isinstance(host, dict)
    assert isinstance(bare, dict)
    assert host.pop("Mounts")[:1] == bare.pop("Mounts")
    assert host == bare
    assert {**with_it, "Env": None} == {**without, "Env": None}


@pytest.mark.parametrize(
    ("memory", "shared"), [(96 << 20, 24 << 20), (GIB, 256 << 20), (64 * GIB, 256 << 20)]
)
def test_shared_memory_is_a_part_of_a_services_own(memory: int, shared: int) -> None:
    """It counts for who fills it: what is shared must leave room to work."""
    assert shared_bytes(memory) == shared


def test_gpus_are_asked_for_as_the_engine_gives_them() -> None:
    """By count from NVIDIA's runtime, by name where devices are described in CDI."""
    names = ("nvidia.com/gpu=0", "nvidia.com/gpu=1")
    described = replace(ENGINE, gpu_access=GpuAccess.CDI, gpus=names)
    assert devices(None) == []
    assert devices(Gpu("L4", 2)) == [{"Driver": "nvidia", "Count": 2, "Capabilities": [["gpu"]]}]
    assert devices(Gpu(None, 1), described) == [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}]


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (Resources(8, GIB, 1), "Hello asks for 8 CPUs, the engine has 4"),
        (Resources(4, 16 * GIB, 1), "Hello asks for 16Gi of memory, the engine has 8Gi"),
        (Resources(4, GIB, 1, Gpu("L4", 2)), "Hello asks for 2 GPUs, the engine has 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(resources: Resources, message: str) -> None:
    """Before anything is made."""
    engine = replace(ENGINE, gpus=("nvidia.com/gpu=0",))
    with pytest.raises(DeployError) as caught:
        require_room(replace(SPEC, resources=resources), engine)
    assert caught.value.message == message


def test_what_fits_is_let_through() -> None:
    """All of the machine may be asked for; an engine that does not say how much it has is trusted."""
    require_room(replace(SPEC, resources=Resources(4, 8 * GIB, 1, Gpu(None, 1))), ENGINE)
    require_room(replace(SPEC, resources=Resources(64, 64 * GIB, 1)), replace(ENGINE, cpus=0, memory=0))


@pytest.mark.parametrize(
    ("count", "text"), [(512 << 20, "512Mi"), (2 * GIB, "2Gi"), (int(23.54 * GIB), "23.54Gi")]
)
def test_sizes_are_written_as_people_give_them(count: int, text: str) -> None:
    """In the units that `memory=` takes."""
    assert shown_bytes(count) == text
