"""Services on a real engine: started, awaited, confined, given their secrets, and gone again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import filler_name, replica_labels, secrets_volume
from chainctl.adapters.docker.services_body import filler_body, secrets_mount, service_body
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, signal
from chainctl.deploy.operations import AwaitReady, EnsureNetwork, StartService
from chainctl.deploy.release import Gpu, Resources, SecretRef
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError, MissingSecretError
from tests.docker.target_rig import (
    LIMITS,
    MIB,
    Rig,
    call,
    engine,
    image,
    rig,
    service_at,
    waited_for,
)

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]


def failed_start(rig: Rig, how: str, **more: object) -> DeployError:
    with pytest.raises(DeployError) as caught:
        rig.start(rig.fake(how, **more))
    return caught.value


def test_a_chain_goes_up_and_down(rig: Rig) -> None:
    """A push from nothing serves at its address; nothing is left when it is taken down."""
    callee, entry = rig.spec("Other"), rig.spec()
    plan = rig.push(rig.desired(callee, entry))
    assert len(plan.operations) == 7
    assert service_at(rig.url) == entry.name
    assert rig.chain in rig.target.chains()
    assert rig.push(rig.desired(callee, entry)).is_empty
    observed = rig.target.observe(rig.chain)
    assert [s.status for s in observed.services] == [ServiceStatus.RUNNING] * 2
    assert observed.service(entry.name) is not None
    rig.down()
    assert rig.leftovers() == []
    assert rig.chain not in rig.target.chains()


@pytest.fixture(scope="module")
def served(engine: Engine, image: str) -> Iterator[Rig]:
    """A chain that serves, for tests that only look at it."""
    rig = Rig(engine, image)
    rig.push(rig.desired(rig.spec()))
    yield rig
    rig.sweep()


def test_a_service_is_confined(served: Rig) -> None:
    """Limits, user, capabilities, file system and restarts are as asked for."""
    name = served.spec().name
    said = served.inspect(name)
    host, config = said["HostConfig"], said["Config"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 96 * MIB, 96 * MIB)
    assert (host["PidsLimit"], host["CapDrop"], host["ReadonlyRootfs"]) == (64, ["ALL"], True)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Init"], host["PortBindings"] or {}) == (True, {})
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Healthcheck"]["Test"][-1] == "/healthz"
    assert name in said["NetworkSettings"]["Networks"][f"chainctl-{served.chain}"]["Aliases"]


def test_a_door_is_confined(served: Rig) -> None:
    """No root, no capabilities, nothing to write but its volume, and bounds on what it takes."""
    said = served.inspect(f"{served.chain}-door")
    host = said["HostConfig"]
    assert (said["Config"]["User"], host["CapDrop"], host["ReadonlyRootfs"]) == ("99:99", ["ALL"], True)
    assert (host["Memory"], host["PidsLimit"]) == (128 * MIB, 64)
    assert host["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    assert host["SecurityOpt"] == ["no-new-privileges"]


def test_a_service_learns_where_it_is(served: Rig) -> None:
    """It is told its chain, its name and the URLs of those that it calls."""
    told = call(served.url, "/env").json
    assert (told["CHAINCTL_SERVICE"], told["CHAINCTL_CHAIN"]) == (served.spec().name, served.chain)
    assert (told["CHAINCTL_CHAINLET"], told["VERSION"]) == ("Hello", "1")
    assert json.loads(told["CHAINCTL_SERVICES"]) == {"Other": "http://other-service:8080"}


def test_secrets_are_inside_and_nowhere_else(served: Rig) -> None:
    """Only the service can read them; inspecting, the environment and the image show none."""
    spec = served.spec()
    value, token = served.vault.value(SecretRef("hf_key", "")).decode(), served.vault.token(served.chain)
    assert call(served.url, "/secrets").json == {
        "hf_key": [value, "0o100400", 10001],
        ".chainctl-token": [token, "0o100400", 10001],
    }
    with served.engine.client() as client:
        shown = [
            served.inspect(spec.name),
            served.inspect(f"{served.chain}-door"),
            client.inspect_volume(f"{spec.name}-secrets"),
            client.history(spec.image),  # type: ignore[no-untyped-call]  # so in types-docker
            call(served.url, "/env").json,
        ]
    for text in map(json.dumps, shown):
        assert (value in text, json.dumps(token)[1:-1] in text) == (False, False)


def test_secrets_can_not_be_changed_by_the_service(served: Rig) -> None:
    """The mount is read-only, though the files are the service's own."""
    mounts = {mount["Destination"]: mount["RW"] for mount in served.inspect(served.spec().name)["Mounts"]}
    assert mounts["/run/secrets"] is False


def test_a_restarted_service_has_its_secrets_still(served: Rig) -> None:
    """They are in a volume, not in what a restart wipes."""
    with served.engine.client() as client:
        client.restart(served.spec().name, timeout=2)
    assert waited_for(lambda: service_at(served.url)) == served.spec().name
    assert set(call(served.url, "/secrets").json) == {"hf_key", ".chainctl-token"}


def test_a_missing_secret_changes_nothing(rig: Rig) -> None:
    """It is found before the first container or volume is made."""
    spec = rig.spec(secrets=(SecretRef("missing", "f"),))
    rig.apply(EnsureNetwork(rig.chain, "test"))
    with pytest.raises(MissingSecretError):
        rig.apply(StartService(spec, "test"))
    assert rig.leftovers() == [f"chainctl-{rig.chain}"]


def test_a_start_that_crashes_shows_its_log(rig: Rig) -> None:
    """At once, with the exit code and the last lines, and the container is kept for its log."""
    error = failed_start(rig, "crash")
    assert error.message == "Broken did not become ready: exited with code 3"
    assert error.details[-1] == "Traceback: no model here"
    assert f"chainctl logs {rig.chain} --chainlet Broken" in error.hint
    (observed,) = rig.target.observe(rig.chain).services
    assert (observed.status, observed.restarts) == (ServiceStatus.FAILED, 0)
    assert [line.text for line in rig.target.logs(rig.chain)][-1] == "Traceback: no model here"


def test_a_start_that_runs_out_of_memory_says_so(rig: Rig) -> None:
    """The engine's own flag is read, and the limit is named."""
    error = failed_start(rig, "oom")
    assert error.message == "Broken did not become ready: was killed: out of memory (limit 96Mi)"


def test_a_start_that_takes_too_long_is_ended(rig: Rig) -> None:
    """The last health answer is shown, and the container is stopped but kept."""
    error = failed_start(rig, "unready", start_timeout_sec=1.5)
    assert error.message == "Broken did not become ready: not ready after 1.5 s"
    assert error.details[-1] == 'health: 503 {"status": "loading"}'
    (observed,) = rig.target.observe(rig.chain).services
    assert observed.status is not ServiceStatus.RUNNING


def test_a_service_in_use_is_not_ended_for_being_unready(rig: Rig) -> None:
    """One that an older release may still use is told of, but left to run."""
    spec = rig.spec(start_timeout_sec=0.5)
    rig.start(spec)
    with rig.engine.client() as client:
        client.exec_start(client.exec_create(spec.name, ["touch", "/tmp/sick"])["Id"])
    with pytest.raises(DeployError, match=r"Hello is not ready: not ready after 0\.5 s"):
        rig.apply(AwaitReady(spec, "test"))
    (observed,) = rig.target.observe(rig.chain).services
    assert observed.status is ServiceStatus.RUNNING


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (Resources(4000, 96 * MIB, 64), "Hello asks for 4000 CPUs, the engine has"),
        (Resources(0.1, 1 << 50, 64), "Hello asks for 1.049e+06Gi of memory, the engine has"),
    ],
    ids=["cpus", "memory"],
)
def test_what_the_engine_has_not_is_refused_first(rig: Rig, resources: Resources, message: str) -> None:
    """The numbers are told and nothing is made."""
    rig.apply(EnsureNetwork(rig.chain, "test"))
    with pytest.raises(DeployError, match="the engine has") as caught:
        rig.apply(StartService(rig.spec(resources=resources), "test"))
    assert caught.value.message.startswith(message)
    assert rig.target.observe(rig.chain).services == ()


def test_gpus_that_are_not_there_are_explained(rig: Rig) -> None:
    """The engine's own words are kept as the evidence."""
    if rig.engine.info().gpus:
        pytest.skip("this engine has GPUs")
    spec = rig.spec(resources=replace(LIMITS, gpu=Gpu("L4", 1)))
    rig.apply(EnsureNetwork(rig.chain, "test"))
    with pytest.raises(DeployError, match="asks for 1 GPU, which the engine can not give"):
        rig.apply(StartService(spec, "test"))
    assert rig.inspect(spec.name)["Config"]["Labels"]["chainctl.gpu"] == "L4"


def test_an_image_that_is_not_there_is_named(rig: Rig) -> None:
    """The way out is another push, which builds it."""
    rig.apply(EnsureNetwork(rig.chain, "test"))
    with pytest.raises(DeployError, match="none:1 of Hello is not on the engine"):
        rig.apply(StartService(rig.spec(image="none:1"), "test"))


def test_a_push_that_was_cut_off_is_finished_by_another(rig: Rig) -> None:
    """Made but not started, started but not awaited: both are taken up again."""
    made, started = rig.spec("Made"), rig.spec("Started")
    rig.apply(EnsureNetwork(rig.chain, "test"), StartService(made, "t"), StartService(started, "t"))
    with rig.engine.client() as client:
        labels = rig.inspect(made.name)["Config"]["Labels"]
        client.remove_container(made.name, force=True)
        client.create_container(
            made.image, name=made.name, labels=labels, volumes=["/run"], command=["--version"]
        )
    before = rig.inspect(started.name)["Id"]
    statuses = [s.status for s in rig.target.observe(rig.chain).services]
    assert statuses == [ServiceStatus.STOPPED] * 2
    plan = rig.push(rig.desired(made, started))
    assert [op.service.name for op in plan.started] == [made.name, started.name]
    assert rig.inspect(started.name)["Id"] == before
    assert service_at(rig.url) == started.name


@pytest.mark.parametrize("left", ["filler", "volume"])
def test_what_a_killed_push_left_of_a_service_is_removed_by_the_next(rig: Rig, left: str) -> None:
    """Its secrets tell of it: a start that was cut off while it filled them, a stop before it removed them."""
    old, new = rig.spec(version="old"), rig.spec()
    rig.apply(EnsureNetwork(rig.chain, "test"))
    if left == "filler":
        body = service_body(old, "python3", rig.engine.info(), 8, (), is_sharing=False)
        with Connection.opened(rig.engine) as connection:
            create(connection, old.name, body)
            mount = secrets_mount(old, is_read_only=False)
            create(connection, filler_name(old.name), filler_body(old, mount))
    else:
        with rig.engine.client() as client:
            client.create_volume(secrets_volume(old.name), labels=replica_labels(old))
    (seen,) = rig.target.observe(rig.chain).services
    assert (seen.name, seen.chainlet, seen.status) == (old.name, old.chainlet, ServiceStatus.STOPPED)
    rig.push(rig.desired(rig.spec("Other"), new))
    assert [one for one in rig.leftovers() if old.name in one] == []
    with rig.engine.client() as client:
        names = [name for c in client.containers(all=True) for name in c["Names"] if old.name in name]
    assert names == []


def test_a_service_that_died_is_replaced(rig: Rig) -> None:
    """A killed service that nobody restarted is failed, and another push starts it anew."""
    spec = rig.spec()
    rig.push(rig.desired(spec))
    with rig.engine.client() as client:
        client.kill(spec.name)
    (service,) = rig.target.observe(rig.chain).services
    assert service.status is ServiceStatus.FAILED
    rig.push(rig.desired(spec))
    assert waited_for(lambda: service_at(rig.url)) == spec.name


def test_a_name_that_is_somebody_elses_is_left_alone(rig: Rig) -> None:
    """A container without the chain's label is neither started nor removed."""
    spec = rig.spec()
    rig.apply(EnsureNetwork(rig.chain, "test"))
    with rig.engine.client() as client:
        client.create_container(spec.image, name=spec.name)
        try:
            with pytest.raises(DeployError, match="does not belong to"):
                rig.apply(StartService(spec, "test"))
            with pytest.raises(DeployError, match="does not belong to"):
                rig.stop(spec)
            assert rig.inspect(spec.name)["State"]["Status"] == "created"
        finally:
            client.remove_container(spec.name)


def test_every_removal_may_be_applied_again(rig: Rig) -> None:
    """Stopping and removing what is not there is no error; a started service stays as it is."""
    spec = rig.spec()
    rig.start(spec)
    before = rig.inspect(spec.name)["Id"]
    rig.start(spec)
    assert rig.inspect(spec.name)["Id"] == before
    rig.stop(spec)
    rig.stop(spec)
    rig.down()
    rig.down()
    assert rig.leftovers() == []
    with pytest.raises(DeployError, match="it was removed while it started"):
        rig.apply(AwaitReady(spec, "test"))


def test_a_signal_to_what_has_ended_is_heard_by_nobody(rig: Rig) -> None:
    """A container may end or go between a look at it and the signal; other refusals are told."""
    spec = rig.spec()
    rig.start(spec)
    with Connection.opened(rig.engine) as connection:
        with pytest.raises(DeployError, match="refused to signal"):
            signal(connection, spec.name, "SIGNONE")
        connection.client.kill(spec.name)
        assert not rig.inspect(spec.name)["State"]["Running"]
        signal(connection, spec.name, "SIGTERM")
        rig.stop(spec)
        signal(connection, spec.name, "SIGTERM")


def test_the_fake_chainlet_serves_its_own_chain_only(rig: Rig) -> None:
    """The fake can be trusted to refuse what comes without the token of its chain."""
    spec = rig.spec()
    rig.start(spec)
    with rig.engine.client() as client:
        probe = ["python3", "-I", "/app/chainctl/server/probe.py", "/run_remote"]
        said = client.exec_start(client.exec_create(spec.name, probe)["Id"])
    assert said.startswith(b"401 ")
