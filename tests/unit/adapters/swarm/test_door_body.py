"""What Swarm is told to make front doors from, to the letter, and what doors are told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from chainctl.adapters.docker.engine_info import EnginePing
from chainctl.adapters.docker.haproxy_config import DoorSettings
from chainctl.adapters.docker.haproxy_route import route_script, route_text
from chainctl.adapters.docker.haproxy_state import DoorState, Slot
from chainctl.adapters.docker.observe_door import WrittenDoor, compared
from chainctl.adapters.swarm.door_body import (
    DoorParts,
    digest_in,
    door_configs,
    door_service,
    door_template,
    is_everywhere,
    port_of,
)
from chainctl.adapters.swarm.labels import ROUTE, route_in, route_label
from chainctl.adapters.swarm.service_body import MountedFile
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.state import ObservedDoor, ServiceStatus

DIGEST = "0123456789abcdef"
SERVICE, NEWER = "shop-pay-11111111", "shop-pay-22222222"
URL = "http://127.0.0.1:8100"
SETTINGS = DoorSettings(DIGEST, token="t0ken", key=b"k3y", tls=b"PEM", answer_sec=60, holds=True)
PARTS = DoorParts(
    image="sha256:1",
    secrets=[MountedFile("id1", "chainctl-1", ".chainctl-token")],
    configs=[MountedFile("id2", "chainctl-2", "/etc/chainctl/haproxy.cfg")],
    ping=EnginePing("1.41", "linux"),
    grace_sec=5.0,
)


def test_a_service_to_the_letter(golden: Callable[[str, str], None]) -> None:
    """One on each node at its port, confined; where it leads is a label, which a task finds in its environment."""
    template = door_template("shop", SETTINGS, PARTS, 8100)
    spec = door_service("shop", FrontDoor(bind="0.0.0.0"), template, route_label(SERVICE, 2))
    golden("swarm/door.json", json.dumps(spec, indent=2, sort_keys=True) + "\n")
    assert port_of(spec) == 8100


def test_a_configuration_to_the_letter(golden: Callable[[str, str], None]) -> None:
    """No secret is in it; the control port is reached from the network of doors only."""
    files = door_configs(SETTINGS, ["10.0.7.0/24"])
    golden("swarm/door.cfg", files["/etc/chainctl/haproxy.cfg"].decode())
    assert sorted(files) == ["/etc/chainctl/haproxy.cfg", "/etc/chainctl/hold.lua"]
    assert not [name for name, text in files.items() if b"t0ken" in text or b"k3y" in text]
    assert list(door_configs(replace(SETTINGS, holds=False), [])) == ["/etc/chainctl/haproxy.cfg"]


def test_a_template_is_told_by_its_digest() -> None:
    """Another port or other files are another one, and the route is none of it."""
    one = door_template("shop", SETTINGS, PARTS, 8100)
    others = [
        door_template("shop", SETTINGS, PARTS, 8101),
        door_template("shop", replace(SETTINGS, key=None), PARTS, 8100),
        door_template("shop", SETTINGS, replace(PARTS, image="sha256:2"), 8100),
    ]
    assert len({digest_in(template) for template in (one, *others)}) == 4
    assert SERVICE not in json.dumps(one)


@pytest.mark.parametrize(("route", "replicas"), [(SERVICE, 1), (SERVICE, 20), (None, 1)])
def test_a_door_writes_the_route_that_it_is_told(tmp_path: Path, route: str | None, replicas: int) -> None:
    """The same file that is written for a container, by a few lines of shell."""
    file = tmp_path / "route.cfg"
    told = {**os.environ, "ROUTE": route_label(route, replicas)}
    subprocess.run(["sh", "-euc", route_script("ROUTE", PurePosixPath(file))], check=True, env=told)
    assert file.read_text() == route_text(route, replicas, is_shared=True)
    assert route_in({ROUTE: told["ROUTE"]}) == (route, replicas)


@pytest.mark.parametrize(
    ("bind", "everywhere"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("10.0.0.5", False)]
)
def test_only_a_door_that_asks_for_all_addresses_is_on_every_node(bind: str, everywhere: bool) -> None:
    """What a swarm publishes listens on all of a node's addresses."""
    assert is_everywhere(FrontDoor(bind=bind)) == everywhere


def state(*serving: str, weight: int = 1, digest: str = DIGEST) -> DoorState:
    slots = (Slot(f"s{n}", service, "", "UP", 0, 0, weight) for n, service in enumerate(serving, 1))
    return DoorState(digest, tuple(slots))


def seen(*states: DoorState) -> ObservedDoor:
    return compared(WrittenDoor(DIGEST, SERVICE, 1), states, URL, ServiceStatus.RUNNING)


def test_doors_that_agree_are_as_one() -> None:
    """With what is written down."""
    assert seen(state(SERVICE), state(SERVICE)) == ObservedDoor(URL, DIGEST, SERVICE)
    assert seen() == ObservedDoor(URL, DIGEST, SERVICE)


def test_one_door_that_leads_elsewhere_shows_as_no_route() -> None:
    """Then the flip is done again, for all."""
    assert seen(state(SERVICE), state(NEWER)).route is None
    assert seen(state(SERVICE), state(SERVICE, digest="older")).digest == ""


def test_a_door_that_joins_a_canary_does_not_end_it() -> None:
    """It leads to the old release, the others to both."""
    door = seen(state(SERVICE, NEWER, weight=128), state(SERVICE))
    assert (door.route, door.canary, door.replicas) == (SERVICE, NEWER, 1)
