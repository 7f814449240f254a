"""Gates are passed after the new services are ready and before anything is routed to them."""

from __future__ import annotations

from itertools import count

import pytest

from chainctl.deploy.canary import Canary
from chainctl.deploy.canary_plan import with_canary
from chainctl.deploy.execute import execute
from chainctl.deploy.gates import with_gates
from chainctl.deploy.operations import AwaitReady, PassGates, Route, SplitRoute
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.state import desired_state
from chainctl.errors import DeployError
from tests.fakes.chains import graph_of, release_of, silent, snapshot_of
from tests.fakes.target import MemoryTarget

GRAPH = graph_of({"Root": ["Leaf"], "Leaf": []})
OLD, NEW = release_of(GRAPH), release_of(GRAPH, snapshot_of({"chain.py": "edited"}))


def plan_of(release: Release, target: MemoryTarget) -> DeployPlan:
    return reconcile(desired_state(release), target.observe("shop"))


def serving(release: Release) -> MemoryTarget:
    """A target on which a release serves."""
    target = MemoryTarget()
    execute(plan_of(release, target), target, silent, lambda: 0.0)
    return target


def test_gates_come_between_readiness_and_traffic() -> None:
    """Also before the first traffic ever, and before a canary has any."""
    first = with_gates(plan_of(OLD, MemoryTarget()), ["SmokeTest:smoke"])
    kinds = [type(op) for op in first.operations]
    assert kinds.index(PassGates) == kinds.index(Route) - 1
    assert max(i for i, kind in enumerate(kinds) if kind is AwaitReady) < kinds.index(PassGates)
    target = serving(OLD)
    canary = with_canary(plan_of(NEW, target), Canary(10, 60), target.observe("shop"))
    kinds = [type(op) for op in with_gates(canary, ["SmokeTest:smoke"]).operations]
    assert kinds.count(PassGates) == 1
    assert kinds.index(PassGates) == kinds.index(SplitRoute) - 1


def test_no_gates_and_no_flip_change_nothing() -> None:
    plan = plan_of(NEW, serving(OLD))
    assert with_gates(plan, []) == plan
    same = plan_of(OLD, serving(OLD))
    assert with_gates(same, ["SmokeTest:smoke"]) == same


def test_a_gate_that_is_not_passed_takes_the_new_release_back() -> None:
    """What served serves on."""
    target = serving(OLD)
    plan = with_gates(plan_of(NEW, target), ["SmokeTest:smoke"])

    def refused(operation: PassGates) -> None:
        assert operation.service == NEW.entrypoint
        raise DeployError("SmokeTest:smoke failed")

    clock = count().__next__
    with pytest.raises(DeployError, match="smoke failed"):
        execute(plan, target, silent, lambda: float(clock()), gates=refused)
    seen = target.observe("shop")
    assert {s.name for s in seen.services} == {s.name for s in OLD.services}
    assert seen.front_door is not None
    assert seen.front_door.route == OLD.entrypoint


def test_gates_that_nobody_knows_are_not_passed() -> None:
    target = serving(OLD)
    with pytest.raises(DeployError, match="nobody knows the gates"):
        execute(with_gates(plan_of(NEW, target), ["SmokeTest:smoke"]), target, silent, lambda: 0.0)


def test_a_line_for_people() -> None:
    gate = PassGates("shop", "shop-root-1", ("SmokeTest:a", "SmokeTest:b"), "traffic waits for it")
    assert line_of(gate) == "? SmokeTest:a, SmokeTest:b of shop-root-1: traffic waits for it"
