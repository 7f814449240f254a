"""Chains on a real swarm: confined, told of their secrets, refused in plain words, given back what they had."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.swarm.files import CONFIG_BYTES
from chainctl.adapters.swarm.manager import no_manager, opened
from chainctl.adapters.swarm.places import replica_task
from chainctl.deploy.operations import AwaitReady, EnsureNetwork, StartService
from chainctl.deploy.release import CacheVolume, DataMount, Gpu, SecretRef
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError, ExitCode, MissingSecretError
from tests.docker.swarm_rig import LIMITS, SwarmRig, engine, image, swarm, swarm_rig
from tests.docker.target_rig import MIB, call, service_at, waited_for
from tests.fakes.data import MemoryData

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "swarm", "swarm_rig"]
PROMPT = "{{.Node.ID}} {{{ }} {{"


@pytest.fixture(scope="module")
def served(swarm: Engine, image: str) -> Iterator[SwarmRig]:
    """A chain that serves, for tests that only look at it."""
    rig = SwarmRig(swarm, image)
    rig.push(rig.desired(rig.spec(env=(("PROMPT", PROMPT),))))
    yield rig
    rig.sweep()


def service_of(rig: SwarmRig, name: str) -> dict[str, Any]:
    with rig.engine.client() as opened:
        client: Any = opened
        said: dict[str, Any] = client.inspect_service(name)
        return said


def observed(rig: SwarmRig) -> tuple[ServiceStatus, str]:
    (seen,) = rig.target.observe(rig.chain).services
    return seen.status, seen.secrets


def failed_start(rig: SwarmRig, how: str, **more: object) -> DeployError:
    with pytest.raises(DeployError) as caught:
        rig.start(rig.fake(how, **more))
    return caught.value


def test_variables_are_taken_as_they_are_written(served: SwarmRig) -> None:
    """Swarm has templates of its own; only chainctl uses them, for what names the machine."""
    seen = call(served.url, "/env").json
    assert seen["PROMPT"] == PROMPT
    with served.engine.client() as client:
        assert seen["CHAINCTL_ZONE"] == client.info()["Name"]


def test_a_service_is_confined(served: SwarmRig) -> None:
    """Limits, reservations, user, capabilities, file system and restarts are as asked for."""
    spec = service_of(served, served.spec().name)["Spec"]
    template = spec["TaskTemplate"]
    container, resources = template["ContainerSpec"], template["Resources"]
    assert resources == {
        "Limits": {"NanoCPUs": 100_000_000, "MemoryBytes": 96 * MIB, "Pids": 64},
        "Reservations": {"NanoCPUs": 25_000_000, "MemoryBytes": 96 * MIB},
    }
    assert (container["User"], container["ReadOnly"]) == ("10001:10001", True)
    assert (container["CapabilityDrop"], container["Init"]) == (["ALL"], True)
    assert container["Healthcheck"]["Test"][-2:] == ["/readyz", "/healthz"]
    assert template["RestartPolicy"]["Condition"] == "any"
    assert template["LogDriver"]["Options"] == {"max-size": "10m", "max-file": "3"}
    assert spec["EndpointSpec"] == {"Mode": "dnsrr"}
    assert "Ports" not in spec["EndpointSpec"]


def test_the_door_listens_on_loopback_only(served: SwarmRig) -> None:
    """It is a container of the manager: what a swarm publishes listens everywhere."""
    ports = served.inspect(f"{served.chain}-door")["HostConfig"]["PortBindings"]
    assert [bound["HostIp"] for bounds in ports.values() for bound in bounds] == ["127.0.0.1"]


def test_secrets_are_inside_and_nowhere_else(served: SwarmRig) -> None:
    """Files of their own user, which nobody else reads; nothing that the swarm tells has their values."""
    name = served.spec().name
    files = call(served.url, "/secrets").json
    assert files == {
        "hf_key": [f"value-of-hf_key-{served.chain}", "0o100400", 10001],
        ".chainctl-token": [served.vault.token(served.chain), "0o100400", 10001],
    }
    told = json.dumps([service_of(served, name), served.objects()])
    assert f"value-of-hf_key-{served.chain}" not in told
    assert served.vault.token(served.chain) not in told.replace('\\"', '"')
    assert f"value-of-hf_key-{served.chain}" not in json.dumps(call(served.url, "/environment").json)


def test_a_start_that_crashes_shows_its_log_and_keeps_it(swarm_rig: SwarmRig) -> None:
    """No task begins any more, and what the failed one wrote can still be read."""
    error = failed_start(swarm_rig, "crash")
    assert "exited with code 3" in error.message
    assert any("no model here" in line for line in error.details)
    lines = [line.text for line in swarm_rig.target.logs(swarm_rig.chain)]
    assert "Traceback: no model here" in lines
    (seen,) = swarm_rig.target.observe(swarm_rig.chain).services
    assert seen.status is ServiceStatus.FAILED


@pytest.mark.swarm
def test_a_start_that_finds_no_room_says_so(swarm_rig: SwarmRig) -> None:
    """With the words of the swarm itself."""
    half = int((swarm_rig.target.capacity().memory_bytes or 0) * 0.6)
    spec = swarm_rig.spec(resources=replace(LIMITS, memory_bytes=half))
    swarm_rig.start(spec)
    spec = replace(spec, start_timeout_sec=6)
    with pytest.raises(DeployError, match="insufficient resources on 1 node") as caught:
        swarm_rig.apply(StartService(spec, "test", replica=2), AwaitReady(spec, "test", replica=2))
    assert "make room" in caught.value.hint
    (seen,) = swarm_rig.target.observe(swarm_rig.chain).services
    assert seen.status is ServiceStatus.RUNNING


@pytest.mark.swarm
def test_a_service_that_serves_is_scaled_as_it_was_made(swarm_rig: SwarmRig) -> None:
    """Another chainctl may make tasks otherwise: that is no reason to end those that serve."""
    spec = swarm_rig.spec()
    swarm_rig.start(spec)
    before = service_of(swarm_rig, spec.name)["Spec"]["TaskTemplate"]
    otherwise = replace(spec, start_timeout_sec=30)
    swarm_rig.apply(StartService(otherwise, "test", replica=2), AwaitReady(otherwise, "test", replica=2))
    assert service_of(swarm_rig, spec.name)["Spec"]["TaskTemplate"] == before
    seen = swarm_rig.target.observe(swarm_rig.chain).services
    assert [(s.replica, s.status) for s in seen] == [(1, ServiceStatus.RUNNING), (2, ServiceStatus.RUNNING)]


def test_an_image_that_no_node_gets_is_named(swarm_rig: SwarmRig) -> None:
    """The first attempt is the one that is told."""
    nowhere = f"127.0.0.1:1/none@sha256:{'0' * 64}"
    error = failed_start(swarm_rig, "", published=nowhere)
    assert "No such image" in error.message
    assert "registry" in error.hint


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"resources": replace(LIMITS, cpus=999)}, "999 CPUs"),
        ({"resources": replace(LIMITS, memory_bytes=1 << 50)}, "of memory"),
        ({"resources": replace(LIMITS, gpu=Gpu(None, 2))}, "2 GPUs, and no node says that it has any"),
        ({"node_labels": (("disk", "none-such"),)}, "labelled disk=none-such"),
    ],
)
def test_what_no_node_can_run_is_refused_first(swarm_rig: SwarmRig, more: Any, message: str) -> None:
    """Nothing was made by then."""
    with pytest.raises(DeployError, match=message):
        swarm_rig.apply(StartService(swarm_rig.spec(**more), "test"))
    assert swarm_rig.objects() == []


def test_a_missing_secret_changes_nothing(swarm_rig: SwarmRig) -> None:
    """It is looked for before anything is made."""
    spec = swarm_rig.spec(secrets=(SecretRef("hf_key", "f1"), SecretRef("missing", "f2")))
    with pytest.raises(MissingSecretError):
        swarm_rig.apply(StartService(spec, "test"))
    assert swarm_rig.objects() == []


@pytest.mark.swarm
def test_small_files_are_handed_out_and_large_ones_refused(swarm: Engine, image: str, tmp_path: Path) -> None:
    """A service has its file where it asked for it, to read; a larger one than Swarm takes changes nothing."""
    rig = SwarmRig(swarm, image, data=MemoryData(tmp_path))
    (tmp_path / "small").write_bytes(b"words")
    (tmp_path / "large").write_bytes(b"x" * (CONFIG_BYTES + 1))
    small, large = (
        DataMount(name, name, hashlib.sha256(name.encode()).hexdigest(), "/app/data", name)
        for name in ("small", "large")
    )
    try:
        with pytest.raises(DeployError, match="large of Hello has"):
            rig.start(rig.spec(data=(large,)))
        assert rig.objects() == []
        spec = rig.spec(data=(small,))
        rig.start(spec)
        (config,) = service_of(rig, spec.name)["Spec"]["TaskTemplate"]["ContainerSpec"]["Configs"]
        assert (config["File"]["Name"], config["File"]["Mode"]) == ("/app/data/small", 0o444)
        assert rig.data.dropped == ["small"]
    finally:
        rig.sweep()


def test_a_service_is_renewed_and_taken_down(swarm_rig: SwarmRig) -> None:
    """A renewal that fails leaves what served; one that was cut off is awaited by the next push; then all goes."""
    spec = swarm_rig.spec()
    swarm_rig.push(swarm_rig.desired(spec))
    rotated = replace(spec, secrets=(SecretRef("hf_key", "f2"),))
    broken = replace(rotated, env=(("FAKE", "crash"),))
    swarm_rig.apply(StartService(broken, "test", renews=True))
    with pytest.raises(DeployError, match="went back to what ran before") as caught:
        swarm_rig.apply(AwaitReady(broken, "test"))
    assert any("no model here" in line for line in caught.value.details)
    assert observed(swarm_rig) == (ServiceStatus.RUNNING, spec.secrets_digest)
    assert service_at(swarm_rig.url) == spec.name
    swarm_rig.apply(StartService(rotated, "test", renews=True))
    assert observed(swarm_rig) == (ServiceStatus.RUNNING, spec.secrets_digest)
    plan = swarm_rig.push(swarm_rig.desired(rotated))
    assert any(isinstance(op, AwaitReady) for op in plan.operations)
    assert observed(swarm_rig) == (ServiceStatus.RUNNING, rotated.secrets_digest)
    assert swarm_rig.push(swarm_rig.desired(rotated)).is_empty
    assert sum(name.startswith("chainctl-") for name in swarm_rig.objects()) == 2
    swarm_rig.down()
    assert (swarm_rig.objects(), swarm_rig.leftovers()) == ([], [])


@pytest.mark.swarm
def test_a_name_that_is_somebody_elses_is_left_alone(swarm_rig: SwarmRig) -> None:
    """A service without our labels is not ours to change."""
    spec = swarm_rig.spec()
    other = SwarmRig(swarm_rig.engine, swarm_rig.image)
    try:
        other.apply(EnsureNetwork(other.chain, "test"))
        other.apply(StartService(replace(other.spec(), name=spec.name), "test"))
        with pytest.raises(DeployError, match="does not belong to"):
            swarm_rig.start(spec)
    finally:
        other.sweep()


def test_an_engine_that_manages_no_swarm_says_what_to_do() -> None:
    """It is known before anything is planned."""
    engine = Engine(EngineAddress("unix:///nowhere", "test", None), None)
    error = no_manager(engine)
    assert "no manager of a swarm" in error.message
    assert error.exit_code is ExitCode.ENGINE_UNREACHABLE
    assert "docker swarm init" in error.hint


@pytest.mark.swarm
def test_a_service_may_write_into_its_cache(swarm_rig: SwarmRig) -> None:
    """A volume of the one node, of which its own directory is the service's."""
    cached = swarm_rig.spec(cache=CacheVolume("models", "/var/cache/chainctl", "/app/model_cache"))
    swarm_rig.start(cached)
    with opened(swarm_rig.engine) as connection:
        task = replica_task(connection, swarm_rig.chain, cached.name)
        assert task is not None
        said = run_in(
            connection, task.container, ["touch", "/var/cache/chainctl/models/a", "/app/model_cache/b"]
        )
    assert said == ""
    swarm_rig.down()
    assert swarm_rig.leftovers() == []


@pytest.mark.swarm
def test_a_chain_is_followed_until_it_is_gone(swarm_rig: SwarmRig) -> None:
    """Into a service that was not there in the beginning; nothing comes twice."""
    spec, later = swarm_rig.spec("Hello"), swarm_rig.spec("Later")
    swarm_rig.start(spec)
    heard: list[str] = []

    def read() -> None:
        for line in swarm_rig.target.logs(swarm_rig.chain, follow=True):
            heard.append(line.text)

    reader = threading.Thread(target=read)
    reader.start()
    waited_for(lambda: heard == [f"starting {spec.name}"])
    swarm_rig.target.invoke(swarm_rig.chain, spec.name, b"log more", 20.0)
    waited_for(lambda: heard[-1] == "more")
    swarm_rig.start(later)
    waited_for(lambda: heard[-1] == f"starting {later.name}")
    swarm_rig.down()
    reader.join(30)
    assert not reader.is_alive()
    assert heard == [f"starting {spec.name}", "more", f"starting {later.name}"]
