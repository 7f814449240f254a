"""Warm, recreated and tried releases become plans: the table is golden, and each plan leads where it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainctl.deploy.canary import Canary
from chainctl.deploy.canary_plan import with_canary
from chainctl.deploy.execute import execute
from chainctl.deploy.operations import AwaitReady, Route, SplitRoute, StartService, StopService
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Gpu, Release, Resources, Strategy
from chainctl.deploy.state import Capacity, DesiredState, ObservedState, ServiceStatus, desired_state
from chainctl.deploy.take_back import undoing
from chainctl.errors import DeployError, UsageError
from chainctl.events import Event, Notice
from tests.fakes.chains import silent, still_clock
from tests.fakes.target import MemoryTarget
from tests.unit.deploy.test_reconcile import CHAIN, RELEASES, all_lines, observations, put, release, serving

OLD = release()
NEW = release(edited=("Leaf",))
GIB = 1 << 30


def after(
    last: Release, wanted: Release = NEW, *, warm: tuple[Release, ...] = (), knows: bool = True
) -> DesiredState:
    """What a push of `wanted` after `last` asks for."""
    names = frozenset(s.name for older in warm for s in older.services)
    return replace(desired_state(wanted), warm=names, previous=last.services if knows else ())


def built_as(wanted: Release, **chainlets: Strategy) -> Release:
    """A release in which some chainlets have a strategy."""
    services = tuple(replace(s, strategy=chainlets.get(s.chainlet)) for s in wanted.services)
    return replace(wanted, services=services)


def big(wanted: Release, chainlet: str, gpu: Gpu | None = None) -> Release:
    """A release in which one chainlet asks for a lot."""
    large = Resources(cpus=1, memory_bytes=9 * GIB, pids=1, gpu=gpu)
    services = tuple(replace(s, resources=large) if s.chainlet == chainlet else s for s in wanted.services)
    return replace(wanted, services=services)


def kept_warm() -> MemoryTarget:
    """A target with a new release, and the one before it warm."""
    target = serving(OLD)
    execute(reconcile(after(OLD, warm=(OLD,)), target.observe(CHAIN)), target, silent, still_clock)
    return target


def planned(
    desired: DesiredState, target: MemoryTarget | None = None, capacity: Capacity | None = None
) -> DeployPlan:
    """The plan for a target on which the old release serves."""
    observed = (target or serving(OLD)).observe(CHAIN)
    return reconcile(desired, replace(observed, capacity=capacity or Capacity()))


RECREATED = built_as(NEW, Leaf=Strategy.RECREATE)
CASES: dict[str, Callable[[], DeployPlan]] = {
    "warm-push": lambda: planned(after(OLD, warm=(OLD,))),
    "warm-rollback": lambda: planned(after(NEW, OLD, warm=(NEW,)), kept_warm()),
    "warm-no-more": lambda: planned(after(NEW, NEW), kept_warm()),
    "warm-and-next": lambda: planned(after(NEW, release(edited=("Root",)), warm=(NEW,)), kept_warm()),
    "recreate": lambda: planned(after(OLD, RECREATED)),
    "recreate-root": lambda: planned(after(OLD, built_as(NEW, Root=Strategy.RECREATE))),
    "recreate-for-memory": lambda: planned(
        after(OLD, big(NEW, "Left")), capacity=Capacity(memory_bytes=16 * GIB)
    ),
    "recreate-for-gpus": lambda: planned(
        after(OLD, big(NEW, "Leaf", Gpu("L4", 1))), capacity=Capacity(memory_bytes=64 * GIB, gpus=1)
    ),
    "canary": lambda: tried(planned(after(OLD))),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_plans_are_golden(case: str, golden: Callable[[str, str], None]) -> None:
    """One text for each case of the table."""
    golden(f"plans/{case}.txt", all_lines(CASES[case]()))


def tried(plan: DeployPlan, target: MemoryTarget | None = None, canary: Canary | None = None) -> DeployPlan:
    """The plan with a canary, on a target on which the old release serves."""
    return with_canary(plan, canary or Canary(10), (target or serving(OLD)).observe(CHAIN))


def run(plan: DeployPlan, target: MemoryTarget) -> None:
    execute(plan, target, silent, still_clock)


def names(wanted: Release) -> set[str]:
    return {service.name for service in wanted.services}


def running(target: MemoryTarget) -> set[str]:
    return {s.name for s in target.observe(CHAIN).services if s.status is ServiceStatus.RUNNING}


def test_warm_services_stay_without_traffic_and_go_with_the_next_push() -> None:
    """Both releases run, the door leads to the new one; nothing is left to do until one is not wanted."""
    target = kept_warm()
    assert running(target) == names(OLD) | names(NEW)
    assert reconcile(after(NEW, NEW, warm=(OLD,)), target.observe(CHAIN)).is_empty
    run(planned(after(NEW, NEW), target), target)
    assert running(target) == names(NEW)


def test_the_way_back_to_a_warm_release_is_one_flip() -> None:
    """Nothing is started, awaited or stopped."""
    plan = planned(after(NEW, OLD, warm=(NEW,)), kept_warm())
    assert [type(operation) for operation in plan.operations] == [Route]


def test_a_warm_service_that_does_not_run_is_removed() -> None:
    """It would have to be started for a rollback anyway."""
    target = kept_warm()
    seen = target.observe(CHAIN)
    dead = next(s.name for s in seen.services if s.name in names(OLD))
    services = tuple(replace(s, status=ServiceStatus.FAILED) if s.name == dead else s for s in seen.services)
    plan = reconcile(after(NEW, NEW, warm=(OLD,)), replace(seen, services=services))
    assert [op.service for op in plan.operations if isinstance(op, StopService)] == [dead]
    assert dead not in dict(plan.warm)


def test_a_recreated_service_has_no_old_one_beside_it() -> None:
    """The old one ends before the new one starts, all others are ready before; the rest is as always."""
    target = serving(OLD)
    plan = planned(after(OLD, RECREATED), target)
    run(plan, target)
    assert running(target) == names(RECREATED)
    first = next(op for op in plan.operations if isinstance(op, StopService))
    start = next(
        op for op in plan.operations if isinstance(op, StartService) and op.service.chainlet == "Leaf"
    )
    assert plan.operations.index(first) < plan.operations.index(start)
    assert first.restores == OLD.service_of("Leaf")


def test_others_are_ready_before_anything_ends() -> None:
    """So that the time without the recreated one is short, and a failure of another costs nothing."""
    wanted = built_as(release(edited=("Left", "Right")), Right=Strategy.RECREATE)
    operations = planned(after(OLD, wanted)).operations
    chainlet = [getattr(op, "chainlet", "") or op.service.chainlet for op in operations[:-5]]  # type: ignore[union-attr]  # each has one
    kinds = [type(op) for op in operations[:-5]]
    assert list(zip(kinds, chainlet, strict=True))[:4] == [
        (StartService, "Left"), (AwaitReady, "Left"), (StopService, "Right"), (StartService, "Right"),
    ]  # fmt: skip


def test_room_is_no_reason_where_it_is_enough_unknown_or_not_to_matter() -> None:
    """Two copies fit; or nobody knows; or `strategy="replace"` says that they do; or not even one fits."""
    wanted = big(NEW, "Left")
    for desired, capacity in (
        (after(OLD, wanted), Capacity(memory_bytes=18 * GIB)),
        (after(OLD, wanted), Capacity()),
        (after(OLD, built_as(wanted, Left=Strategy.REPLACE)), Capacity(memory_bytes=10 * GIB)),
        (after(OLD, wanted), Capacity(memory_bytes=8 * GIB)),
    ):
        operations = planned(desired, capacity=capacity).operations
        flip = next(n for n, op in enumerate(operations) if isinstance(op, Route))
        assert not any(isinstance(op, StopService) for op in operations[:flip])


def test_replicas_need_room_together() -> None:
    """Two of one fit, two times two do not."""
    wanted = big(NEW, "Left")
    services = tuple(replace(s, replicas=2) if s.chainlet == "Left" else s for s in wanted.services)
    plan = planned(after(OLD, replace(wanted, services=services)), capacity=Capacity(memory_bytes=20 * GIB))
    causes = [op.cause for op in plan.operations if isinstance(op, StopService) and "successor" in op.cause]
    assert causes == [
        "ended before its successor starts: two times 2 replicas need 36Gi of memory, there are 20Gi"
    ]


def test_what_nobody_could_start_again_is_not_ended_for_room() -> None:
    """Its release was recorded elsewhere; only one who asks for it in so many words gets that."""
    small = Capacity(memory_bytes=10 * GIB)
    beside = planned(after(OLD, big(NEW, "Left"), knows=False), capacity=small)
    assert not any("successor" in op.cause for op in beside.operations)
    asked = planned(after(OLD, RECREATED, knows=False))
    stops = [op for op in asked.operations if isinstance(op, StopService) and "successor" in op.cause]
    assert [op.restores for op in stops] == [None]


@pytest.mark.parametrize("chainlet", ["Leaf", "Root"])
def test_when_the_new_one_fails_the_old_one_is_started_again(chainlet: str) -> None:
    """The old release serves as before, with its route; the failed service is kept."""
    wanted = built_as(NEW, **{chainlet: Strategy.RECREATE})
    target = serving(OLD)
    target.never_ready = {chainlet}
    plan = planned(after(OLD, wanted), target)
    target.fails = lambda op: target.never_ready.discard(chainlet) if _restarts(op, OLD) else None
    told: list[Event] = []
    with pytest.raises(DeployError):
        execute(plan, target, told.append, still_clock)
    old = OLD.service_of(chainlet).name
    assert told[-1] == Notice(f"{old} runs again, as before")
    assert running(target) == names(OLD)
    door = target.observe(CHAIN).front_door
    assert door is not None
    assert door.route == OLD.entrypoint
    target.fails = lambda _: None
    run(planned(after(OLD, wanted), target), target)
    assert running(target) == names(wanted)


def _restarts(operation: object, old: Release) -> bool:
    return isinstance(operation, StartService) and operation.service.name in names(old)


def test_an_old_one_that_does_not_come_again_is_told_with_the_error() -> None:
    """The first error stays the one that is raised."""
    target = serving(OLD)
    target.never_ready = {"Leaf"}
    with pytest.raises(DeployError, match="Leaf did not become ready") as raised:
        run(planned(after(OLD, RECREATED), target), target)
    assert any("? ready" in line and OLD.service_of("Leaf").name in line for line in raised.value.details)


def test_a_canary_is_a_split_before_the_flip() -> None:
    """All else stays as it is."""
    plan = planned(after(OLD))
    split_plan = tried(plan, canary=Canary(25, 90))
    (split,) = set(split_plan.operations) - set(plan.operations)
    assert split == SplitRoute(CHAIN, NEW.entrypoint, OLD.entrypoint, 25, "a canary for 90 s")
    assert isinstance(split_plan.operations[split_plan.operations.index(split) + 1], Route)


def test_a_first_release_and_an_unchanged_one_are_no_canary() -> None:
    """There is nothing to compare with."""
    for plan in (reconcile(desired_state(OLD), MemoryTarget().observe(CHAIN)), planned(after(OLD, OLD))):
        assert tried(plan) == plan


def test_an_old_release_that_does_not_run_is_not_compared_with() -> None:
    """There is nothing to lose by flipping at once."""
    target = serving(OLD)
    seen = target.observe(CHAIN)
    plan = planned(after(OLD), target)
    for status in (ServiceStatus.FAILED, ServiceStatus.STOPPED):
        services = tuple(replace(s, status=status) for s in seen.services)
        assert tried(plan, put(replace(seen, services=services))) == plan
    assert tried(plan, put(replace(seen, services=()))) == plan


def test_a_canary_needs_both_releases() -> None:
    """An old service that has to end first can not be compared with."""
    with pytest.raises(UsageError, match="Leaf can not be tried as a canary"):
        tried(planned(after(OLD, RECREATED)))


def test_a_split_that_was_left_is_ended_by_the_next_push() -> None:
    """Whichever release is pushed then."""
    target = serving(OLD)
    plan = tried(planned(after(OLD), target), target)
    for operation in plan.operations[: [type(op) for op in plan.operations].index(SplitRoute) + 1]:
        target.apply(operation, silent)
    for wanted in (OLD, NEW):
        again = MemoryTarget()
        again.put(target.observe(CHAIN))
        run(planned(after(OLD, wanted), again), again)
        door = again.observe(CHAIN).front_door
        assert door is not None
        assert (door.route, door.canary) == (wanted.entrypoint, None)
        assert running(again) == names(wanted)


# --- for any state ---------------------------------------------------------------------------

STRATEGIES = st.none() | st.sampled_from(Strategy)
CAPACITIES = st.builds(
    Capacity, st.none() | st.integers(1, 6).map(lambda n: n * GIB), st.none() | st.integers(1, 2)
)


@st.composite
def wishes(draw: st.DrawFn) -> DesiredState:
    """A release with any strategies, after another, with any of some releases warm."""
    wanted, last = draw(RELEASES), draw(RELEASES)
    services = tuple(replace(s, strategy=draw(STRATEGIES)) for s in wanted.services)
    desired = after(last, replace(wanted, services=services), knows=draw(st.booleans()))
    return replace(desired, warm=frozenset(draw(st.sets(st.sampled_from(sorted(names(last) | names(OLD)))))))


def require_reached(desired: DesiredState, target: MemoryTarget, capacity: Capacity) -> None:
    """All that is wanted runs and has the traffic, else only what is warm, and nothing is left to do."""
    run(planned(desired, target, capacity), target)
    seen = target.observe(CHAIN)
    wanted = {service.name for service in desired.services}
    assert wanted <= running(target) == {s.name for s in seen.services} <= wanted | desired.warm
    assert seen.front_door is not None
    assert (seen.front_door.route, seen.front_door.canary) == (desired.entrypoint, None)
    assert planned(desired, target, capacity).is_empty


@settings(max_examples=50, deadline=None)
@given(observations(), wishes(), CAPACITIES)
def test_any_rollout_leads_to_what_is_wanted(
    observed: ObservedState, desired: DesiredState, capacity: Capacity
) -> None:
    """Whatever is there, with whatever room."""
    require_reached(desired, put(observed), capacity)


@settings(max_examples=50, deadline=None)
@given(observations(), wishes(), wishes(), CAPACITIES, st.integers(0, 20))
def test_a_crash_in_any_rollout_is_healed_by_the_next(
    observed: ObservedState, first: DesiredState, second: DesiredState, capacity: Capacity, count: int
) -> None:
    """Cut off in the middle of a canary too."""
    try:
        plan = tried(planned(first, put(observed), capacity), put(observed))
    except UsageError:
        plan = planned(first, put(observed), capacity)
    for desired in (first, second):
        target = put(observed)
        for operation in plan.operations[:count]:
            target.apply(operation, silent)
        require_reached(desired, target, capacity)


@settings(max_examples=50, deadline=None)
@given(observations(), wishes(), CAPACITIES, st.integers(1, 12))
def test_an_interruption_loses_nothing_that_ran(
    observed: ObservedState, desired: DesiredState, capacity: Capacity, at: int
) -> None:
    """Before the flip, all that ran runs again, but for what nobody could start again."""
    target = put(observed)
    plan = planned(desired, target, capacity)
    before = running(target)
    specs = {spec.name: spec for spec in (*desired.previous, *desired.services)}
    calls = {call.service for name in before if name in specs for call in specs[name].calls}
    assume(calls <= before)  # what calls something that is away is started by no one
    begun = plan.operations[:at]
    if any(isinstance(op, Route) for op in begun):
        return
    lost = {op.service for op in begun if isinstance(op, StopService) and op.restores is None}
    for operation in (*begun, *undoing(plan, begun)):
        target.apply(operation, silent)
    assert running(target) == before - lost
