"""Counts of replicas become the starts and stops that are missing, and one flip."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.execute import execute
from chainctl.deploy.operations import AwaitReady, Route, StartService, StopService
from chainctl.deploy.plan import line_of, plan_text, total_of
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release, Scaling, replica_name, replica_of
from chainctl.deploy.scale import as_running, in_scale_of, scaled
from chainctl.deploy.state import ServiceStatus, desired_state
from chainctl.errors import DeployError
from tests.fakes.chains import silent, still_clock
from tests.fakes.target import MemoryTarget
from tests.unit.deploy.test_reconcile import CHAIN, bring_up, release, serving

ONE = release()


def lines(target: MemoryTarget, wanted: Release) -> list[str]:
    return [line_of(op) for op in reconcile(desired_state(wanted), target.observe(CHAIN)).operations]


def declared(count: int, chainlet: str) -> Release:
    """A release whose file says how many replicas a chainlet has."""
    services = (
        replace(s, replicas=count, declared_replicas=count) if s.chainlet == chainlet else s
        for s in ONE.services
    )
    return replace(ONE, services=tuple(services))


def test_only_the_difference_is_planned() -> None:
    """Replicas that are there stay; those of a callee need no flip."""
    name = ONE.service_of("Leaf").name
    target = serving(scaled(ONE, {"Leaf": 2}))
    assert lines(target, scaled(ONE, {"Leaf": 3})) == [
        f"+ replica 3 of {name} (Leaf): 3 are wanted",
        f"? ready {name}.3 (Leaf): traffic waits for it",
    ]
    assert lines(target, ONE) == [f"- replica 2 of {name} (Leaf): 1 is wanted"]


def test_the_door_spreads_over_the_entrypoint() -> None:
    """All new replicas are ready before the one flip; those that go lose their traffic before they stop."""
    name = ONE.entrypoint
    three = scaled(ONE, {"Root": 3})
    assert lines(serving(ONE), three) == [
        f"+ replica 2 of {name} (Root): 3 are wanted",
        f"+ replica 3 of {name} (Root): 3 are wanted",
        f"? ready {name}.2 (Root): traffic waits for it",
        f"? ready {name}.3 (Root): traffic waits for it",
        f"~ route to 3 replicas of {name}: 3 are wanted",
    ]
    assert lines(serving(three), ONE) == [
        f"~ route to 1 replica of {name}: 1 is wanted",
        f"- replica 3 of {name} (Root): 1 is wanted",
        f"- replica 2 of {name} (Root): 1 is wanted",
    ]


def test_the_text_of_a_plan_counts_replicas_apart() -> None:
    """A service is created or kept; further replicas of it are told beside."""
    plan = reconcile(desired_state(scaled(ONE, {"Leaf": 3})), serving(ONE).observe(CHAIN))
    assert total_of(plan) == "Plan: 2 more to start as replicas, 4 kept."
    assert total_of(plan, 2) == "Plan: 2 more to start as replicas, 2 components to change, 4 kept."
    assert f"= service {ONE.service_of('Leaf').name} (Leaf), 3 replicas\n" in plan_text(plan)
    plan = reconcile(desired_state(ONE), serving(scaled(ONE, {"Leaf": 3})).observe(CHAIN))
    assert total_of(plan) == "Plan: 2 replicas to stop, 4 kept."


def test_a_replica_that_ended_is_started_again() -> None:
    """The others are left alone."""
    two = scaled(ONE, {"Leaf": 2})
    target, name = serving(two), ONE.service_of("Leaf").name
    seen = target.observe(CHAIN)
    services = tuple(
        replace(s, status=ServiceStatus.FAILED) if s.own_name == f"{name}.2" else s for s in seen.services
    )
    target.put(replace(seen, services=services))
    assert lines(target, two)[0] == f"+ replica 2 of {name} (Leaf): it is failed"


def test_a_replica_that_does_not_become_ready_is_the_only_one_that_is_kept() -> None:
    """What was started beside it goes; what served still serves."""
    target = serving(ONE)
    target.never_ready = {"Root"}
    plan = reconcile(desired_state(scaled(ONE, {"Root": 3})), target.observe(CHAIN))
    with pytest.raises(DeployError):
        execute(plan, target, silent, still_clock)
    roots = [s.replica for s in target.observe(CHAIN).services if s.chainlet == "Root"]
    assert roots == [1, 2]
    target.never_ready = set()
    bring_up(target, ONE)
    assert all(s.replica == 1 for s in target.observe(CHAIN).services)


def test_a_count_is_part_of_a_release_and_of_no_name() -> None:
    """Names do not cover it, so nothing else is started anew; the digest does, so it is recorded."""
    more = scaled(ONE, {"Leaf": 2})
    assert [s.name for s in more.services] == [s.name for s in ONE.services]
    assert more.digest != ONE.digest
    assert more.makeup == ONE.makeup


def test_a_count_holds_until_the_file_says_another() -> None:
    """A push of the same file keeps what `scale` asked for; a changed count in it wins."""
    last = scaled(ONE, {"Leaf": 4})
    assert in_scale_of(ONE, last) == last
    assert in_scale_of(declared(2, "Leaf"), last) == declared(2, "Leaf")
    assert in_scale_of(declared(2, "Leaf"), scaled(declared(2, "Leaf"), {"Leaf": 5})) == scaled(
        declared(2, "Leaf"), {"Leaf": 5}
    )
    assert in_scale_of(ONE, scaled(declared(2, "Leaf"), {"Leaf": 5})) == ONE
    assert in_scale_of(declared(3, "Leaf"), None) == declared(3, "Leaf")


@given(st.text("abc-9", min_size=1), st.integers(1, 20))
def test_names_of_replicas_come_apart_again(service: str, replica: int) -> None:
    """The first is called as its service."""
    assert replica_of(replica_name(service, replica)) == (service, replica)
    assert replica_name(service, 1) == service


COUNTS = st.dictionaries(st.sampled_from(["Root", "Left", "Right", "Leaf"]), st.integers(1, 4))


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_any_scale_leads_to_any_other(first: dict[str, int], second: dict[str, int]) -> None:
    """Afterwards there is nothing to do; nothing that both have was touched; all is ready before the flip."""
    target = serving(scaled(ONE, first))
    bring_up(target, scaled(ONE, second))
    wanted = scaled(ONE, second)
    assert reconcile(desired_state(wanted), target.observe(CHAIN)).is_empty
    for operation in target.applied:
        match operation:
            case StartService() | AwaitReady():
                assert operation.replica > first.get(operation.service.chainlet, 1)
            case StopService():
                assert operation.replica > second.get(operation.chainlet, 1)
                assert operation.has_others
            case _:
                assert isinstance(operation, Route)


def following(least: int, most: int) -> Release:
    """A release whose leaf follows its load."""
    bounds = Scaling(least, most, target_concurrency=2)
    services = (replace(s, scaling=bounds) if s.chainlet == "Leaf" else s for s in ONE.services)
    return replace(ONE, services=tuple(services))


@pytest.mark.parametrize(("running", "bounds", "wanted"), [(3, (1, 5), 3), (4, (1, 2), 2), (1, (2, 5), 2)])
def test_what_follows_its_load_keeps_its_number(running: int, bounds: tuple[int, int], wanted: int) -> None:
    """A push does not undo what the load asked for, within the bounds of the file."""
    observed = serving(scaled(ONE, {"Leaf": running})).observe(CHAIN)
    release = following(*bounds)
    desired = as_running(desired_state(release), observed)
    counts = {service.chainlet: service.replicas for service in desired.services}
    assert counts["Leaf"] == wanted
    assert {count for name, count in counts.items() if name != "Leaf"} == {1}


def test_what_sleeps_is_woken_by_a_release() -> None:
    """It serves only once it has been ready."""
    asleep = scaled(following(0, 5), {"Leaf": 3})  # as many were asked for while it ran
    desired = as_running(desired_state(asleep), MemoryTarget().observe(CHAIN))
    assert {service.replicas for service in desired.services} == {1}
