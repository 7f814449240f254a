"""A rotated secret restarts its readers under their names, one by one; who calls them goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.execute import execute
from chainctl.deploy.operations import AwaitReady, Route, StartService, StopService
from chainctl.deploy.plan import DeployPlan, line_of, plan_text
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release, SecretRef, ServiceSpec, Strategy
from chainctl.deploy.renewal import needs_room
from chainctl.deploy.scale import scaled
from chainctl.deploy.state import Capacity, desired_state
from chainctl.deploy.take_back import undoing
from chainctl.errors import DeployError
from tests.fakes.chains import silent, still_clock
from tests.fakes.target import MemoryTarget
from tests.unit.deploy.test_reconcile import CHAIN, bring_up, release, serving

ONE = release()


def reading(chainlet: str, value: str, wanted: Release = ONE, **changes: object) -> Release:
    """A release of which one chainlet reads a secret; `value` stands for its fingerprint."""

    def with_secret(service: ServiceSpec) -> ServiceSpec:
        if service.chainlet != chainlet:
            return service
        return replace(service, secrets=(SecretRef("key", value),), **changes)  # type: ignore[arg-type]  # any field

    return replace(wanted, services=tuple(map(with_secret, wanted.services)))


def rotation(
    target: MemoryTarget, before: Release, after: Release, capacity: Capacity | None = None
) -> DeployPlan:
    desired = replace(desired_state(after), previous=before.services)
    observed = target.observe(CHAIN)
    return reconcile(desired, replace(observed, capacity=capacity or Capacity()))


def lines(plan: DeployPlan) -> list[str]:
    return [line_of(op) for op in plan.operations]


def test_one_more_stands_in_while_a_reader_starts_anew() -> None:
    """Nobody else is touched: those who call it call the same name."""
    before, after = reading("Leaf", "old"), reading("Leaf", "new")
    leaf = before.service_of("Leaf").name
    plan = rotation(serving(before), before, after)
    assert lines(plan) == [
        f"+ replica 2 of {leaf} (Leaf): stands in while others are renewed: secret key rotated",
        f"? ready {leaf}.2 (Leaf): others are renewed then",
        f"- service {leaf} (Leaf): secret key rotated",
        f"+ service {leaf} (Leaf): secret key rotated",
        f"? ready {leaf} (Leaf): it is renewed",
        f"- replica 2 of {leaf} (Leaf): all are renewed",
    ]
    assert plan_text(plan).endswith("Plan: 1 to renew, 3 kept.")


def test_callers_turn_to_edited_code_before_the_first_of_the_old_ones_ends() -> None:
    """Who calls goes before who is called: an old one goes on calling old ones."""
    root, leaf = (ONE.service_of(name).name for name in ("Root", "Leaf"))
    target = serving(ONE)
    desired = replace(desired_state(ONE), edited=frozenset({root, leaf}), generation=3)
    plan = reconcile(desired, target.observe(CHAIN))
    assert [line.partition(":")[0] for line in lines(plan)] == [
        f"+ replica 2 of {leaf} (Leaf)",
        f"+ replica 2 of {root} (Root)",
        f"? ready {leaf}.2 (Leaf)",
        f"? ready {root}.2 (Root)",
        f"~ callers turn to edit 3 of {leaf}, {root}",
        f"~ route to 2 replicas of {root}",
        f"- service {root} (Root)",
        f"+ service {root} (Root)",
        f"? ready {root} (Root)",
        f"~ route to 1 replica of {root}",
        f"- replica 2 of {root} (Root)",
        f"- service {leaf} (Leaf)",
        f"+ service {leaf} (Leaf)",
        f"? ready {leaf} (Leaf)",
        f"- replica 2 of {leaf} (Leaf)",
    ]
    with pytest.raises(DeployError, match="nobody turns callers to edit 3"):
        execute(plan, target, silent, still_clock)
    assert {s.own_name for s in target.observe(CHAIN).services} == {s.name for s in ONE.services}
    turned: list[int] = []
    execute(plan, target, silent, still_clock, turn=lambda turn: turned.append(turn.generation))
    assert turned == [3]


def test_the_door_leads_to_the_stand_in_of_an_entrypoint_meanwhile() -> None:
    """And to no other in the end; each of two is renewed by itself."""
    before, after = (scaled(reading("Root", value), {"Root": 2}) for value in ("old", "new"))
    root = before.entrypoint
    plan = rotation(serving(before), before, after)
    assert [line.partition(":")[0] for line in lines(plan)] == [
        f"+ replica 3 of {root} (Root)",
        f"? ready {root}.3 (Root)",
        f"~ route to 3 replicas of {root}",
        f"- service {root} (Root)",
        f"+ service {root} (Root)",
        f"? ready {root} (Root)",
        f"- replica 2 of {root} (Root)",
        f"+ replica 2 of {root} (Root)",
        f"? ready {root}.2 (Root)",
        f"~ route to 2 replicas of {root}",
        f"- replica 3 of {root} (Root)",
    ]


def test_a_value_that_is_wrong_costs_nothing() -> None:
    """The stand-in does not become ready and goes; what served still serves."""
    before, after = reading("Leaf", "old"), reading("Leaf", "new")
    target = serving(before)
    running = target.observe(CHAIN)
    target.never_ready = {"Leaf"}
    with pytest.raises(DeployError):
        execute(rotation(target, before, after), target, silent, still_clock)
    assert [s for s in target.observe(CHAIN).services if s.replica == 1] == list(running.services)


@pytest.mark.parametrize(
    ("changes", "capacity", "why"),
    [
        ({"strategy": Strategy.RECREATE}, Capacity(), "its strategy is recreate"),
        ({}, Capacity(memory_bytes=1), "2 of it need"),
        ({}, Capacity(crowded=frozenset({"Leaf"})), "there is no GPU for one more of it"),
    ],
)
def test_where_no_other_fits_it_starts_anew_in_its_place(
    changes: dict[str, object], capacity: Capacity, why: str
) -> None:
    """Nothing stands in; the reason is told."""
    before, after = (reading("Leaf", value, ONE, **changes) for value in ("old", "new"))
    plan = rotation(serving(before), before, after, capacity)
    assert [type(op) for op in plan.operations] == [StopService, StartService, AwaitReady]
    assert why in lines(plan)[0]


def test_room_is_asked_for_only_where_a_renewal_needs_some() -> None:
    """Not for what is unchanged, and not where the chain file decides."""
    before, after = reading("Leaf", "old"), reading("Leaf", "new")
    observed = serving(before).observe(CHAIN)
    assert needs_room(desired_state(after), observed)
    assert not needs_room(desired_state(before), observed)
    assert not needs_room(desired_state(reading("Leaf", "new", strategy=Strategy.RECREATE)), observed)


def test_what_is_replaced_anyway_is_not_renewed() -> None:
    """A new service starts with the values of now."""
    before = reading("Leaf", "old")
    after = reading("Leaf", "new", release(edited=("Leaf",)))
    plan = rotation(serving(before), before, after)
    assert plan.renewed == ()
    assert plan.started[0].replica == 1


@settings(deadline=None)
@given(
    st.sampled_from(["Root", "Left", "Leaf"]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 30),
    st.booleans(),
)
def test_a_renewal_that_was_cut_off_anywhere_is_completed(
    chainlet: str, count: int, wanted: int, steps: int, again: bool
) -> None:
    """By the next push, also of a value that is newer still; at every step somebody answers for the service."""
    before = scaled(reading(chainlet, "old"), {chainlet: count})
    first = scaled(reading(chainlet, "new"), {chainlet: wanted})
    last = scaled(reading(chainlet, "newest" if again else "new"), {chainlet: wanted})
    target = serving(before)
    name = before.service_of(chainlet).name
    others = {s.name: s for s in target.observe(CHAIN).services if s.name != name}
    for plan in (rotation(target, before, first).operations[:steps], None):
        for operation in rotation(target, before, last).operations if plan is None else plan:
            target.apply(operation, silent)
            assert any(
                s.name == name and s.own_name in target.ready(CHAIN) for s in target.observe(CHAIN).services
            )
            door = target.observe(CHAIN).front_door
            assert door is not None
            assert door.route == before.entrypoint
    after = target.observe(CHAIN)
    assert reconcile(desired_state(last), after).is_empty
    mine = [s for s in after.services if s.name == name]
    assert [s.replica for s in mine] == list(range(1, wanted + 1))
    assert {s.secrets for s in mine} == {last.service_of(chainlet).secrets_digest}
    assert {s.name: s for s in after.services if s.name != name} == others


def test_a_route_of_a_renewal_is_the_last_word() -> None:
    """Once the door leads to a stand-in, nothing is taken back: the next push goes on from there."""
    before, after = reading("Root", "old"), reading("Root", "new")
    target = serving(before)
    stopped = DeployError("no")
    target.fails = lambda op: stopped if isinstance(op, StopService) else None
    with pytest.raises(DeployError):
        execute(rotation(target, before, after), target, silent, still_clock)
    target.fails = lambda _op: None
    assert isinstance(target.applied[-2], Route)
    bring_up(target, after)
    assert reconcile(desired_state(after), target.observe(CHAIN)).is_empty


def test_a_target_that_rolls_replaces_all_replicas_by_itself() -> None:
    """One start, awaited for each of them; it is no stop, so nothing of it is taken back by the plan."""
    before, after = (scaled(reading("Leaf", value), {"Leaf": 2}) for value in ("old", "new"))
    target = serving(before)
    observed = replace(target.observe(CHAIN), rolls=True)
    plan = reconcile(replace(desired_state(after), previous=before.services), observed)
    leaf = before.service_of("Leaf").name
    assert lines(plan) == [
        f"+ service {leaf} (Leaf): secret key rotated",
        f"? ready {leaf} (Leaf): it is renewed",
        f"? ready {leaf}.2 (Leaf): it is renewed",
    ]
    assert "1 to renew" in plan_text(plan)
    assert undoing(plan, plan.operations) == []
