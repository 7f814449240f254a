"""What runs and what is wanted become a plan; the table of cases is golden, the properties hold for any state."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.execute import execute
from chainctl.deploy.operations import AwaitReady, Operation, RemoveNetwork, Route, StartService, StopService
from chainctl.deploy.plan import DeployPlan, line_of, plan_text
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import FrontDoor, Release, ServiceSpec
from chainctl.deploy.state import (
    DesiredState,
    ObservedDoor,
    ObservedService,
    ObservedState,
    ServiceStatus,
    desired_state,
    nothing,
)
from chainctl.errors import DeployError
from tests.fakes.chains import chainlet, graph_of, release_of, silent, snapshot_of, still_clock
from tests.fakes.target import MemoryTarget

CHAIN = "shop"
CALLS = {"Root": ["Left", "Right"], "Left": ["Leaf"], "Right": ["Leaf"], "Leaf": []}


def release(
    calls: dict[str, list[str]] | None = None,
    *,
    edited: tuple[str, ...] = (),
    bigger: tuple[str, ...] = (),
    entrypoint: str = "Root",
    door: FrontDoor | None = None,
) -> Release:
    """A release of some graph; `edited` chainlets have other code, `bigger` ones other resources."""
    calls = CALLS if calls is None else calls
    specs = [
        chainlet(
            name, files=["chain.py", f"{name}.py"], config={"compute": {"cpu_count": 1 + (name in bigger)}}
        )
        for name in calls
    ]
    files = {"chain.py": "", **{f"{name}.py": "edited" if name in edited else name for name in calls}}
    graph = graph_of(calls, specs=specs, entrypoint=entrypoint, chain=CHAIN)
    return release_of(graph, snapshot_of(files), front_door=door)


def bring_up(target: MemoryTarget, wanted: Release) -> None:
    """Make a target what a release wants."""
    execute(reconcile(desired_state(wanted), target.observe(CHAIN)), target, silent, still_clock)


def serving(*releases: Release) -> MemoryTarget:
    """A target on which these were pushed, one after the other."""
    target = MemoryTarget()
    for wanted in releases or (release(),):
        bring_up(target, wanted)
    target.applied.clear()
    return target


def cut_off(count: int, wanted: Release, target: MemoryTarget) -> MemoryTarget:
    """Apply only the first operations of a plan."""
    for operation in reconcile(desired_state(wanted), target.observe(CHAIN)).operations[:count]:
        target.apply(operation, silent)
    return target


def rebooted() -> MemoryTarget:
    """A target whose machine was started anew."""
    target = serving()
    target.reboot(CHAIN)
    return target


def with_status(chainlet_name: str, status: ServiceStatus) -> MemoryTarget:
    """A target on which one service is in another state."""
    target = serving()
    seen = target.observe(CHAIN)
    services = tuple(replace(s, status=status) if s.chainlet == chainlet_name else s for s in seen.services)
    target.put(replace(seen, services=services))
    return target


def with_door(**changes: object) -> MemoryTarget:
    """A target whose front door is different."""
    target = serving()
    seen = target.observe(CHAIN)
    assert seen.front_door is not None
    target.put(replace(seen, front_door=replace(seen.front_door, **changes)))  # type: ignore[arg-type]  # any field
    return target


THREE = {"Root": ["Left"], "Left": ["Leaf"], "Leaf": []}
ADDED = {"Root": ["Left", "Right", "Extra"], "Left": ["Leaf"], "Right": ["Leaf"], "Leaf": [], "Extra": []}
Case = tuple[Callable[[], MemoryTarget], DesiredState]
CASES: dict[str, Case] = {
    "first-push": (MemoryTarget, desired_state(release())),
    "repeat": (serving, desired_state(release())),
    "leaf-edit": (serving, desired_state(release(edited=("Leaf",)))),
    "root-edit": (serving, desired_state(release(edited=("Root",)))),
    "middle-edit": (serving, desired_state(release(edited=("Left",)))),
    "config-change": (serving, desired_state(release(bigger=("Left",)))),
    "code-and-config-change": (serving, desired_state(release(bigger=("Root",), edited=("Root", "Leaf")))),
    "removed-chainlet": (serving, desired_state(release(THREE))),
    "added-chainlet": (serving, desired_state(release(ADDED))),
    "entrypoint-changed": (serving, desired_state(release(THREE | {"Right": []}, entrypoint="Left"))),
    "failed-service": (lambda: with_status("Left", ServiceStatus.FAILED), desired_state(release())),
    "failed-service-of-a-new-release": (
        lambda: with_status("Left", ServiceStatus.FAILED), desired_state(release(edited=("Left",))),
    ),
    "after-a-reboot": (rebooted, desired_state(release())),
    "reboot-and-edit": (rebooted, desired_state(release(edited=("Leaf",)))),
    "door-settings-changed": (serving, desired_state(release(door=FrontDoor(bind="0.0.0.0", port=80)))),
    "door-settings-and-root-changed": (
        serving, desired_state(release(door=FrontDoor(port=80), edited=("Root",))),
    ),
    "door-stopped": (lambda: with_door(status=ServiceStatus.STOPPED), desired_state(release())),
    "door-without-route": (lambda: with_door(route=None), desired_state(release())),
    "door-gone": (
        lambda: put(replace(serving().observe(CHAIN), front_door=None)), desired_state(release()),
    ),
    "network-gone": (lambda: put(ObservedState(CHAIN)), desired_state(release(THREE))),
    "down": (serving, nothing(CHAIN)),
    "down-of-nothing": (MemoryTarget, nothing(CHAIN)),
    "down-half-way": (lambda: cut_off(3, release(), MemoryTarget()), nothing(CHAIN)),
    "two-releases-behind": (
        lambda: cut_off(6, release(edited=("Root",)), serving()), desired_state(release(edited=("Leaf",))),
    ),
}  # fmt: skip


def put(state: ObservedState) -> MemoryTarget:
    """A target in some state."""
    target = MemoryTarget()
    target.put(state)
    return target


def all_lines(plan: DeployPlan) -> str:
    """The text for people, then every operation, waits included.

    Digests are numbered in order of appearance: they change with every template, the plans do not.
    """
    text = f"{plan_text(plan)}\n---\n" + "".join(f"{line_of(op)}\n" for op in plan.operations)
    digests = list(dict.fromkeys(re.findall(r"-([0-9a-f]{8})\b", text)))
    return re.sub(r"-([0-9a-f]{8})\b", lambda m: f"-#{digests.index(m[1]) + 1}", text)


@pytest.mark.parametrize("case", sorted(CASES))
def test_plans_are_golden(case: str, golden: Callable[[str, str], None]) -> None:
    """One text for each case of the table."""
    make, desired = CASES[case]
    golden(f"plans/{case}.txt", all_lines(reconcile(desired, make().observe(CHAIN))))


@pytest.mark.parametrize("count", range(13))
def test_plans_after_a_half_done_push_are_golden(count: int, golden: Callable[[str, str], None]) -> None:
    """A first push that was cut off after each of its operations goes on where it ended."""
    target = cut_off(count, release(THREE), MemoryTarget())
    golden(
        f"plans/half-done-{count:02}.txt",
        all_lines(reconcile(desired_state(release(THREE)), target.observe(CHAIN))),
    )


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_case_ends_as_wanted(case: str) -> None:
    """Applied, the plan gives the desired state, and the next plan is empty."""
    make, desired = CASES[case]
    require_leads_to(desired, make())


def require_leads_to(desired: DesiredState, target: MemoryTarget) -> None:
    """Apply the plan and check that what is observed is what was wanted."""
    before = target.observe(CHAIN)
    plan = reconcile(desired, before)
    execute(plan, target, silent, still_clock)
    require_state(desired, target.observe(CHAIN))
    assert reconcile(desired, target.observe(CHAIN)).is_empty
    require_careful(plan, desired, before)


def require_state(desired: DesiredState, seen: ObservedState) -> None:
    """Exactly the wanted services run, and the door leads to the entrypoint."""
    if desired.entrypoint is None:
        assert seen == ObservedState(CHAIN)
        return
    assert {(s.name, s.chainlet, s.fingerprint, s.image, s.status) for s in seen.services} == {
        (s.name, s.chainlet, s.fingerprint, s.image, ServiceStatus.RUNNING) for s in desired.services
    }
    assert seen.has_network
    assert seen.front_door is not None
    assert desired.front_door is not None
    assert seen.front_door.route == desired.entrypoint
    assert seen.front_door.digest == desired.front_door.digest
    assert seen.front_door.status is ServiceStatus.RUNNING


def require_careful(plan: DeployPlan, desired: DesiredState, before: ObservedState) -> None:
    """The order hurts nobody, and what is as wanted is left alone."""
    operations = plan.operations
    flip = next((n for n, op in enumerate(operations) if isinstance(op, Route)), None)
    stops = [n for n, op in enumerate(operations) if isinstance(op, StopService)]
    awaited = {op.service.name: n for n, op in enumerate(operations) if isinstance(op, AwaitReady)}
    started = {op.service.name for op in operations if isinstance(op, StartService)}
    assert started == set(awaited)
    if flip is not None:
        assert all(n > flip for n in stops)
        assert all(n < flip for n in awaited.values())
    good = {s.name for s in before.services if s.status is ServiceStatus.RUNNING}
    wanted = {s.name for s in desired.services}
    stopped = {op.service for op in operations if isinstance(op, StopService)}
    assert not good & wanted & (started | stopped)
    assert {name for name, _ in plan.kept} == (good & wanted if desired.entrypoint else set())
    assert all(op.cause for op in operations)
    if any(isinstance(op, RemoveNetwork) for op in operations):
        assert isinstance(operations[-1], RemoveNetwork)


# --- for any state ---------------------------------------------------------------------------

NODES = ("Root", "Left", "Right", "Leaf")
SUBSETS = st.lists(st.sampled_from(NODES), unique=True).map(tuple)
GRAPHS = st.sampled_from([CALLS, THREE, ADDED, {"Root": []}, {"Root": ["Leaf"], "Leaf": []}])
DOORS = st.sampled_from([FrontDoor(), FrontDoor(port=80)])
RELEASES = st.builds(
    lambda calls, edited, bigger, door: release(calls, edited=edited, bigger=bigger, door=door),
    GRAPHS, SUBSETS, SUBSETS, DOORS,
)  # fmt: skip
DESIRED = st.one_of(RELEASES.map(desired_state), st.just(nothing(CHAIN)))


@st.composite
def observations(draw: st.DrawFn) -> ObservedState:
    """Leftovers of some releases in any state, with or without network and door."""
    services = {s.name: s for r in draw(st.lists(RELEASES, max_size=2)) for s in r.services}
    target = MemoryTarget()
    if draw(st.booleans()):
        bring_up(target, draw(RELEASES))
    there = {s.name: s for s in target.observe(CHAIN).services}
    for spec in services.values():
        if draw(st.booleans()):
            there[spec.name] = as_observed(spec)
    statuses = st.sampled_from(ServiceStatus)
    found = tuple(replace(s, status=draw(statuses), since=draw(st.floats(0, 9))) for s in there.values())
    routes = st.sampled_from([None, "somewhere-else", *there])
    doors = st.builds(ObservedDoor, st.just("http://x"), DOORS.map(lambda d: d.digest), routes, statuses)
    has_network = bool(found) or draw(st.booleans())
    return ObservedState(CHAIN, found, draw(st.none() | doors), has_network)


def as_observed(spec: ServiceSpec) -> ObservedService:
    """One service as a target shows it."""
    return ObservedService(spec.name, spec.chainlet, ServiceStatus.RUNNING, spec.fingerprint, spec.image)


@settings(max_examples=50, deadline=None)
@given(observations(), DESIRED)
def test_any_plan_leads_to_what_is_wanted(observed: ObservedState, desired: DesiredState) -> None:
    """Whatever is there: afterwards exactly the desired state is, carefully, and nothing is left to do."""
    require_leads_to(desired, put(observed))


@settings(max_examples=50, deadline=None)
@given(observations(), DESIRED, DESIRED, st.integers(0, 20))
def test_a_crash_anywhere_is_healed_by_the_next_plan(
    observed: ObservedState, first: DesiredState, second: DesiredState, count: int
) -> None:
    """Any beginning of a plan, then the plan of the same or of another release."""
    for desired in (first, second):
        target = put(observed)
        for operation in reconcile(first, observed).operations[:count]:
            target.apply(operation, silent)
        require_leads_to(desired, target)


@settings(max_examples=50, deadline=None)
@given(observations(), DESIRED)
def test_plans_do_not_depend_on_the_order_of_what_is_observed(
    observed: ObservedState, desired: DesiredState
) -> None:
    """An engine may list its services as it likes."""
    turned = replace(observed, services=observed.services[::-1])
    assert reconcile(desired, observed) == reconcile(desired, turned)


@settings(max_examples=50, deadline=None)
@given(observations(), RELEASES, st.sampled_from(NODES))
def test_a_service_that_fails_leaves_the_route_alone(
    observed: ObservedState, wanted: Release, culprit: str
) -> None:
    """What served before still serves: neither route nor door nor old services are touched."""
    target = put(observed)
    target.never_ready = {culprit}
    plan = reconcile(desired_state(wanted), observed)
    awaited = [op.service.chainlet for op in plan.operations if isinstance(op, AwaitReady)]
    if culprit not in awaited:
        return
    with pytest.raises(DeployError):
        execute(plan, target, silent, still_clock)
    after = target.observe(CHAIN)
    started = {op.service.name for op in plan.started}
    taken_back = {op.service.name for op in plan.started if op.service.chainlet != culprit}
    door = observed.front_door
    if door and door.route in taken_back:  # it was down: it came up for this release, and went with it
        door = replace(door, route=None)
    assert after.front_door == door
    touched = started | {
        op.service.name
        for op in plan.operations
        if isinstance(op, AwaitReady) and op.service.chainlet == culprit
    }
    assert {s for s in after.services if s.name not in touched} == {
        s for s in observed.services if s.name not in touched
    }


def test_text_of_operations_names_the_operation_and_its_cause() -> None:
    """Every kind of operation prints."""
    kinds: dict[type[Operation], str] = {}
    for make, desired in CASES.values():
        for operation in reconcile(desired, make().observe(CHAIN)).operations:
            kinds[type(operation)] = line_of(operation)
    assert len(kinds) == 8
    assert all(": " in line for line in kinds.values())
