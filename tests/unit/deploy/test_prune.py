"""What no release needs goes; what has traffic, runs or may be somebody else's stays."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.operations import RemoveFrontDoor, RemoveNetwork, StopService
from chainctl.deploy.prune import plan_prune
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState, ServiceStatus, desired_state
from tests.fakes.chains import graph_of, release_of, silent
from tests.fakes.target import MemoryTarget

RELEASE = release_of(graph_of({"Root": ["Leaf"], "Leaf": []}))
PRINT = Fingerprint("i", "c", "c")


def service(name: str, status: ServiceStatus = ServiceStatus.STOPPED, replica: int = 1) -> ObservedService:
    return ObservedService(name, "Root", status, PRINT, "image", replica=replica)


def serving() -> ObservedState:
    """A target on which the release serves."""
    target = MemoryTarget()
    for operation in reconcile(desired_state(RELEASE), target.observe("shop")).operations:
        target.apply(operation, silent)
    return target.observe("shop")


def test_what_the_last_release_needs_stays() -> None:
    """Also where it does not run: the next push starts it."""
    seen = serving()
    assert plan_prune(seen, RELEASE).is_empty
    stopped = tuple(replace(s, status=ServiceStatus.FAILED) for s in seen.services)
    assert plan_prune(replace(seen, services=stopped), RELEASE).is_empty


def test_what_failed_or_stopped_and_is_not_needed_goes() -> None:
    """The last replica of a service first."""
    seen = serving()
    old = (
        service("old", ServiceStatus.FAILED),
        service("old", replica=2),
        service("warm", ServiceStatus.RUNNING),
    )
    plan = plan_prune(replace(seen, services=(*seen.services, *old)), RELEASE)
    assert [(op.service, op.replica) for op in plan.operations if isinstance(op, StopService)] == [
        ("old", 2), ("old", 1),
    ]  # fmt: skip
    assert len(plan.operations) == 2


def test_what_is_warm_goes_when_it_is_asked_for_and_has_no_traffic() -> None:
    seen = serving()
    warm = (service("warm", ServiceStatus.RUNNING), service("tried", ServiceStatus.RUNNING))
    assert seen.front_door is not None
    door = replace(seen.front_door, canary="tried")
    plan = plan_prune(
        replace(seen, services=(*seen.services, *warm), front_door=door), RELEASE, is_warm_kept=False
    )
    assert [op.service for op in plan.operations if isinstance(op, StopService)] == ["warm"]


def test_of_an_unknown_chain_only_what_is_dead_goes() -> None:
    """It may be somebody else's."""
    alive = ObservedState("other", (service("a", ServiceStatus.RUNNING),), has_network=True)
    assert plan_prune(alive, None).is_empty
    door = ObservedDoor("http://h", "d", None)
    assert plan_prune(ObservedState("other", (service("a"),), door, has_network=True), None).is_empty
    dead = ObservedState(
        "other", (service("a"),), replace(door, status=ServiceStatus.STOPPED), has_network=True
    )
    kinds = [type(op) for op in plan_prune(dead, None).operations]
    assert kinds == [RemoveFrontDoor, StopService, RemoveNetwork]
    assert plan_prune(ObservedState("other"), None).is_empty
