"""What the engine says of containers, as recorded: services and doors, half-made ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.front_door_body import container_digest
from chainctl.adapters.docker.haproxy_config import DoorSettings, door_files
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.haproxy_state import DoorState, Slot
from chainctl.adapters.docker.observe import published_host
from chainctl.adapters.docker.observe_container import Container, epoch, observed_service
from chainctl.adapters.docker.observe_door import observed_door
from chainctl.deploy.release import Fingerprint, FrontDoor, SecretRef
from chainctl.deploy.state import ObservedDoor, ObservedService, ServiceStatus

DATA = Path(__file__).parent / "data"
SERVICE = "tchain-hello-11111111"
DIGEST = "0123456789abcdef"


def recorded(name: str, **state: object) -> Container:
    said: dict[str, Any] = json.loads((DATA / f"inspect_{name}.json").read_text())
    said["State"].update(state)
    return Container.of(said)


def running(route: str | None, digest: str = DIGEST) -> DoorState:
    return DoorState(digest, (Slot("s1", route, "", "UP", 0, 0),))


def files(route: str | None) -> dict[str, bytes]:
    return {**door_files(DoorSettings(DIGEST, token="t")), ROUTE_FILE: route_text(route).encode()}


def test_a_service_that_was_ready_runs() -> None:
    """Name, chainlet and fingerprint are read from labels, the rest from its state."""
    assert observed_service(recorded("service")) == ObservedService(
        name=SERVICE,
        chainlet="Hello",
        status=ServiceStatus.RUNNING,
        fingerprint=Fingerprint("chainctl-test/fake:1", "1", "0"),
        image="chainctl-test/fake:1",
        since=epoch("2026-11-22T09:00:01.5Z"),
        restarts=0,
    )


def test_a_service_that_was_never_ready_counts_as_stopped() -> None:
    """A push that was cut off before the check must not leave it to the traffic."""
    said = json.loads((DATA / "inspect_service.json").read_text())
    said["HostConfig"]["RestartPolicy"]["Name"] = "no"
    assert observed_service(Container.of(said)).status is ServiceStatus.STOPPED


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"Status": "created"}, ServiceStatus.STOPPED),
        ({"Status": "created", "Error": "no such device"}, ServiceStatus.FAILED),
        ({"Status": "paused"}, ServiceStatus.STOPPED),
        ({"Status": "exited", "ExitCode": 0}, ServiceStatus.STOPPED),
        ({"Status": "exited", "ExitCode": 143}, ServiceStatus.STOPPED),
        ({"Status": "exited", "ExitCode": 3}, ServiceStatus.FAILED),
        ({"Status": "exited", "ExitCode": 0, "OOMKilled": True}, ServiceStatus.FAILED),
        ({"Status": "restarting", "ExitCode": 1}, ServiceStatus.FAILED),
        ({"Status": "dead"}, ServiceStatus.FAILED),
    ],
)
def test_what_does_not_run_is_told_apart(state: dict[str, object], status: ServiceStatus) -> None:
    """Ended by request, or otherwise."""
    assert observed_service(recorded("service", **state)).status is status


def test_a_settled_door_has_digest_and_route() -> None:
    """What runs and what is written down agree."""
    assert observed_door(recorded("door"), "127.0.0.1", files(SERVICE), running(SERVICE)) == ObservedDoor(
        "http://127.0.0.1:8100", DIGEST, SERVICE, ServiceStatus.RUNNING
    )


def test_a_door_that_is_down_has_what_is_written_down() -> None:
    """It would come back with it."""
    door = observed_door(recorded("door", Status="exited"), "127.0.0.1", files(SERVICE), None)
    assert (door.digest, door.route, door.status) == (DIGEST, SERVICE, ServiceStatus.STOPPED)


@pytest.mark.parametrize(
    ("state", "digest", "route"),
    [
        (running("another"), DIGEST, None),
        (running(None), DIGEST, None),
        (running(SERVICE, "fedcba"), "", SERVICE),
    ],
)
def test_a_change_that_was_cut_off_shows(state: DoorState, digest: str, route: str | None) -> None:
    """What runs and what is written down differ, so neither is what anybody wants."""
    door = observed_door(recorded("door"), "127.0.0.1", files(SERVICE), state)
    assert (door.digest, door.route) == (digest, route)


def test_a_split_door_has_a_route_and_a_canary() -> None:
    """What is written down has the traffic, the other one has a part of it; neither may be unknown."""
    slots = (Slot("s1", SERVICE, "", "UP", 0, 0, 10), Slot("s2", "newer", "", "UP", 0, 0, 246))
    door = observed_door(recorded("door"), "127.0.0.1", files(SERVICE), DoorState(DIGEST, slots))
    assert (door.route, door.canary) == (SERVICE, "newer")
    lost = observed_door(recorded("door"), "127.0.0.1", files("another"), DoorState(DIGEST, slots))
    assert (lost.route, lost.canary) == (None, None)


def test_a_door_that_does_not_answer_has_failed() -> None:
    """It runs as a container only."""
    assert observed_door(recorded("door"), "h", files(None), None).status is ServiceStatus.FAILED


@pytest.mark.parametrize(
    ("bind", "url", "host"),
    [
        ("127.0.0.1", "unix:///var/run/docker.sock", "127.0.0.1"),
        ("0.0.0.0", "unix:///var/run/docker.sock", "127.0.0.1"),
        ("::", "unix:///var/run/docker.sock", "[::1]"),
        ("0.0.0.0", "ssh://me@gpu.example", "gpu.example"),
        ("::", "tcp://10.0.0.5:2376", "10.0.0.5"),
        ("192.0.2.7", "tcp://10.0.0.5:2376", "192.0.2.7"),
        ("::1", "unix:///var/run/docker.sock", "[::1]"),
    ],
)
def test_a_url_has_a_host_that_callers_reach(bind: str, url: str, host: str) -> None:
    """All interfaces are no host: it is the engine's machine then."""
    assert published_host(bind, EngineAddress(url)) == host


def test_only_some_settings_need_a_new_container() -> None:
    """Another key or certificate is read again; TLS at all, port, address and image are not."""
    key, other = SecretRef("k", "1"), SecretRef("k", "2")
    same = {container_digest(FrontDoor(api_key=key)), container_digest(FrontDoor(api_key=other))}
    assert same == {container_digest(FrontDoor())}
    assert container_digest(FrontDoor(tls=key)) == container_digest(FrontDoor(tls=other))
    others = [FrontDoor(), FrontDoor(tls=key), FrontDoor(port=1), FrontDoor("::"), FrontDoor(image="x")]
    assert len({container_digest(door) for door in others}) == 5


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:00.123456789Z", 0.123456789),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_times_of_the_engine_are_read(stamp: str, seconds: float) -> None:
    """Nanoseconds, none, and the year one for never."""
    assert epoch(stamp) == pytest.approx(seconds)
