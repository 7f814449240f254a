"""What the fakes do beyond their contracts: fail on request, and refuse what would hurt on a real target."""

from __future__ import annotations

import pytest

from chainctl.build.plan import plan_build
from chainctl.build.settings import BuildSettings
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    RemoveNetwork,
    Route,
    StartService,
)
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.state import ServiceStatus
from chainctl.deploy.target import LogLine
from chainctl.errors import BuildError, EngineError
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import graph_of, release_of, silent, snapshot_of
from tests.fakes.logs import MemoryLogs
from tests.fakes.target import MemoryTarget
from tests.fakes.vault import MemoryVault

RELEASE = release_of(graph_of({"Root": ["Leaf"], "Leaf": []}))
LEAF, ROOT = RELEASE.services


def up() -> MemoryTarget:
    """A target with a network, a door and a ready leaf."""
    target = MemoryTarget()
    made: list[Operation] = [EnsureNetwork("shop", "c"), StartService(LEAF, "c"), AwaitReady(LEAF, "c")]
    for operation in [*made, EnsureFrontDoor("shop", FrontDoor(), "c")]:
        target.apply(operation, silent)
    return target


def test_a_service_needs_its_network() -> None:
    """Starting without one is the planner's mistake."""
    with pytest.raises(AssertionError, match="network"):
        MemoryTarget().apply(StartService(LEAF, "c"), silent)


def test_a_service_needs_what_it_calls() -> None:
    """A caller that starts first would fail its first calls."""
    target = MemoryTarget()
    target.apply(EnsureNetwork("shop", "c"), silent)
    with pytest.raises(AssertionError, match="before what it calls"):
        target.apply(StartService(ROOT, "c"), silent)


def test_traffic_needs_readiness_and_a_door() -> None:
    """The route leads only to what was awaited."""
    target = up()
    target.apply(StartService(ROOT, "c"), silent)
    with pytest.raises(AssertionError, match="not ready"):
        target.apply(Route("shop", ROOT.name, "c"), silent)
    target.apply(AwaitReady(ROOT, "c"), silent)
    target.apply(Route("shop", ROOT.name, "c"), silent)
    seen = target.observe("shop").front_door
    assert seen is not None
    assert seen.route == ROOT.name


def test_a_network_is_not_taken_from_under_its_services() -> None:
    """It goes last."""
    with pytest.raises(AssertionError, match="still has services"):
        up().apply(RemoveNetwork("shop", "c"), silent)


def test_a_reboot_stops_everything() -> None:
    """Services and door are there, and none of them runs."""
    target = up()
    target.reboot("shop")
    seen = target.observe("shop")
    assert [s.status for s in seen.services] == [ServiceStatus.STOPPED]
    assert seen.front_door is not None
    assert seen.front_door.status is ServiceStatus.STOPPED
    assert target.specs("shop") == {LEAF.name: LEAF}


def test_an_operation_fails_on_request() -> None:
    """The error is the given one, and the attempt is noted."""
    error = EngineError("gone")
    target = MemoryTarget(fails=lambda op: error if isinstance(op, EnsureNetwork) else None)
    with pytest.raises(EngineError) as raised:
        target.apply(EnsureNetwork("shop", "c"), silent)
    assert raised.value is error
    assert target.applied == [EnsureNetwork("shop", "c")]
    assert target.name == "memory"


def test_a_build_fails_on_request() -> None:
    """No image is left of it."""
    image = plan_build(graph_of({"One": []}), "shop", snapshot_of(), BuildSettings()).images[0]
    backend = MemoryBackend(fails={"One": BuildError("One", "RUN x", ["no x"])})
    with pytest.raises(BuildError):
        backend.build(image, silent)
    assert backend.images == set()
    assert backend.started == ["One"]


def test_logs_grow() -> None:
    """A line that is written later is there."""
    logs = MemoryLogs()
    logs.write("shop", LogLine(1.0, "One", "s", "text"))
    assert [line.text for line in logs.logs("shop", follow=True)] == ["text"]


def test_a_rotated_secret_has_another_fingerprint() -> None:
    """The value is in it."""
    vault = MemoryVault({"KEY": b"1"})
    before = vault.fingerprints("shop", {"KEY": []})
    vault.set("KEY", b"2")
    assert vault.fingerprints("shop", {"KEY": []}) != before
