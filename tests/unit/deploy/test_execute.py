"""A plan is carried out in order; what fails before the flip is taken back, after it nothing is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from chainctl.deploy.canary import Canary
from chainctl.deploy.canary_plan import with_canary
from chainctl.deploy.execute import execute
from chainctl.deploy.operations import AwaitReady, Operation, Route, SplitRoute, StartService, StopService
from chainctl.deploy.plan import line_of
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.state import ServiceStatus, desired_state, nothing
from chainctl.errors import CanaryError, ChainctlError, DeployError, EngineError, MissingSecretError
from chainctl.events import Emit, Event, Notice, OperationFinished, OperationStarted
from tests.fakes.chains import graph_of, release_of, silent, snapshot_of, still_clock
from tests.fakes.target import Failure, MemoryTarget

GRAPH = graph_of({"Root": ["Left", "Right"], "Left": [], "Right": []})
OLD = release_of(GRAPH)
NEW = release_of(GRAPH, snapshot_of({"chain.py": "edited"}))


def push(target: MemoryTarget, wanted: Release) -> list[Event]:
    """Execute the plan of a release and return what was told."""
    told: list[Event] = []
    clock = itertools.count().__next__
    plan = reconcile(desired_state(wanted), target.observe("shop"))
    execute(plan, target, told.append, lambda: float(clock()))
    return told


def running(target: MemoryTarget) -> set[str]:
    """The names of services that run."""
    return {s.name for s in target.observe("shop").services if s.status is ServiceStatus.RUNNING}


def names(release: Release, *chainlets: str) -> set[str]:
    """The services of some chainlets, or of all."""
    return {s.name for s in release.services if not chainlets or s.chainlet in chainlets}


def test_operations_are_applied_in_order_and_told_with_their_time() -> None:
    """A beginning and an end each, with the text of the plan."""
    target = MemoryTarget()
    plan = reconcile(desired_state(OLD), target.observe("shop"))
    told = push(target, OLD)
    assert target.applied == list(plan.operations)
    lines = [line_of(op) for op in plan.operations]
    assert told == [e for text in lines for e in (OperationStarted(text), OperationFinished(text, 1.0))]


@pytest.mark.parametrize("culprit", ["Left", "Right", "Root"])
def test_a_failure_before_the_flip_takes_back_all_but_the_culprit(culprit: str) -> None:
    """The old release serves on; the failed service is kept to look into."""
    target = MemoryTarget()
    push(target, OLD)
    target.never_ready = {culprit}
    with pytest.raises(DeployError, match=culprit) as raised:
        push(target, NEW)
    assert raised.value.details == ("its last words",)
    assert running(target) == names(OLD)
    seen = target.observe("shop")
    assert {s.name for s in seen.services} == names(OLD) | names(NEW, culprit)
    assert seen.front_door is not None
    assert seen.front_door.route == OLD.entrypoint


def test_the_last_event_of_a_failure_is_the_beginning_of_what_failed() -> None:
    """No end is told of it, and no invented operation."""
    target = MemoryTarget(never_ready=["Left"])
    told: list[Event] = []
    plan = reconcile(desired_state(NEW), target.observe("shop"))
    with pytest.raises(DeployError):
        execute(plan, target, told.append, still_clock)
    left = next(op for op in plan.operations if isinstance(op, AwaitReady) and op.service.chainlet == "Left")
    assert told[-1] == OperationStarted(line_of(left))


def test_services_are_taken_back_callers_first() -> None:
    """In the reverse order of their start."""
    target = MemoryTarget(fails=failing(Route, DeployError("no")))
    with pytest.raises(DeployError):
        push(target, NEW)
    stops = [op.chainlet for op in target.applied if isinstance(op, StopService)]
    assert stops == ["Root", "Right", "Left"]
    assert target.observe("shop").services == ()


def test_a_service_that_can_not_even_start_is_no_reason_to_stop_it() -> None:
    """What was started before it goes."""
    error = DeployError("no")
    target = MemoryTarget(
        fails=lambda op: error if isinstance(op, StartService) and op.service.chainlet == "Right" else None
    )
    with pytest.raises(DeployError) as raised:
        push(target, NEW)
    assert raised.value is error
    assert [op.chainlet for op in target.applied if isinstance(op, StopService)] == ["Left"]


def test_after_the_flip_nothing_is_taken_back() -> None:
    """The new services have the traffic: an old one that does not go must not cost them."""
    error = DeployError("it does not go")
    target = MemoryTarget()
    push(target, OLD)
    target.fails = failing(StopService, error)
    with pytest.raises(DeployError) as raised:
        push(target, NEW)
    assert raised.value is error
    assert names(NEW) <= running(target)
    seen = target.observe("shop").front_door
    assert seen is not None
    assert seen.route == NEW.entrypoint
    target.fails = lambda _: None
    push(target, NEW)
    assert running(target) == names(NEW)


def test_a_lost_engine_takes_nothing_back() -> None:
    """Nobody could; the next push goes on."""
    error = EngineError("gone")
    target = MemoryTarget()
    target.fails = lambda op: error if isinstance(op, AwaitReady) and op.service.chainlet == "Right" else None
    with pytest.raises(EngineError) as raised:
        push(target, NEW)
    assert raised.value is error
    assert {s.name for s in target.observe("shop").services} == names(NEW)
    assert not any(isinstance(op, StopService) for op in target.applied)


def test_a_failure_while_taking_back_does_not_hide_the_cause() -> None:
    """The first error is the one that is raised, and the other services are stopped all the same."""
    target = MemoryTarget(never_ready=["Root"])

    def fails(operation: Operation) -> ChainctlError | None:
        is_right = isinstance(operation, StopService) and operation.chainlet == "Right"
        return EngineError("busy") if is_right else None

    target.fails = fails
    with pytest.raises(DeployError, match="Root"):
        push(target, NEW)
    assert running(target) == names(NEW, "Right")


def test_an_empty_plan_does_nothing() -> None:
    """No event, no operation."""
    target = MemoryTarget()
    push(target, OLD)
    target.applied.clear()
    assert push(target, OLD) == []
    assert target.applied == []
    execute(reconcile(desired_state(OLD), target.observe("shop")), target, silent, still_clock)


def failing(kind: type[Operation], error: ChainctlError) -> Failure:
    """Fail every operation of a kind."""
    return lambda operation: error if isinstance(operation, kind) else None


GOES_ON = "Interrupted. The same command goes on where this one ended."


class Interrupting(MemoryTarget):
    """A target on which the user interrupts: at the operations whose numbers are in `at`."""

    def __init__(self, *at: int) -> None:
        super().__init__()
        self.at = set(at)
        self.count = 0

    def apply(self, operation: Operation, emit: Emit) -> None:
        self.count += 1
        super().apply(operation, emit)
        if self.count in self.at:
            raise KeyboardInterrupt


def interrupted(at: int, *later: int) -> tuple[Interrupting, list[Event]]:
    """Push a release, then another one that is interrupted at its n-th operation and so many later."""
    target = Interrupting()
    push(target, OLD)
    target.at = {target.count + at, *(target.count + at + n for n in later)}
    told: list[Event] = []
    plan = reconcile(desired_state(NEW), target.observe("shop"))
    with pytest.raises(KeyboardInterrupt):
        execute(plan, target, told.append, still_clock)
    return target, told


@pytest.mark.parametrize("at", range(1, 7))
def test_an_interruption_before_the_flip_takes_everything_back(at: int) -> None:
    """Also what was under way just then; it is said, and the next push converges."""
    target, told = interrupted(at)
    assert {s.name for s in target.observe("shop").services} == running(target) == names(OLD)
    assert [event.text for event in told if isinstance(event, Notice)] == [
        "Interrupted: what was begun is taken back. Interrupt again to leave it as it is.",
        "shop is as it was before.",
    ]
    push(target, NEW)
    assert running(target) == names(NEW)


@pytest.mark.parametrize("at", range(7, 11))
def test_an_interruption_from_the_flip_on_takes_nothing_back(at: int) -> None:
    """The new release has the traffic; the next push removes what is left of the old one."""
    target, told = interrupted(at)
    door = target.observe("shop").front_door
    assert door is not None
    assert door.route == NEW.entrypoint
    assert names(NEW) <= running(target)
    assert [event.text for event in told if isinstance(event, Notice)] == [GOES_ON]
    push(target, NEW)
    assert running(target) == names(NEW)


@pytest.mark.parametrize("at", range(1, 6))
def test_an_interruption_of_down_takes_nothing_back(at: int) -> None:
    """It is not as it was before, and nobody says so."""
    target = Interrupting()
    push(target, OLD)
    target.at = {target.count + at}
    told: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        execute(reconcile(nothing("shop"), target.observe("shop")), target, told.append, still_clock)
    assert [event.text for event in told if isinstance(event, Notice)] == [GOES_ON]


@pytest.mark.parametrize("later", [1, 2, 3])
def test_a_second_interruption_ends_at_once(later: int) -> None:
    """What was begun stays as it is then; the old release serves, and the next push converges."""
    target, _ = interrupted(6, later)
    before = target.count
    assert names(OLD) <= running(target)
    assert len(target.observe("shop").services) == 6 - later
    assert target.count == before
    push(target, NEW)
    assert running(target) == names(NEW)


def test_a_canary_that_does_worse_is_taken_back() -> None:
    """The old one has all traffic again before the new services end; the error is the canary's."""
    target = MemoryTarget()
    push(target, OLD)
    seen = target.observe("shop")
    plan = with_canary(reconcile(desired_state(NEW), seen), Canary(10), seen)

    def watch(split: SplitRoute) -> None:
        door = target.observe("shop").front_door
        assert door is not None
        assert (door.route, door.canary) == (split.before, split.service)
        raise CanaryError("worse")

    target.applied.clear()
    with pytest.raises(CanaryError, match="worse"):
        execute(plan, target, silent, still_clock, watch)
    assert {s.name for s in target.observe("shop").services} == names(OLD)
    back = target.applied[
        target.applied.index(Route("shop", OLD.entrypoint, "the release failed", NEW.entrypoint)) :
    ]
    assert [type(op) for op in back] == [Route, StopService, StopService, StopService]


def test_an_interrupted_canary_is_taken_back() -> None:
    """The traffic first."""
    target = MemoryTarget()
    push(target, OLD)
    seen = target.observe("shop")
    plan = with_canary(reconcile(desired_state(NEW), seen), Canary(10), seen)

    def watch(_split: SplitRoute) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(plan, target, silent, still_clock, watch)
    door = target.observe("shop").front_door
    assert door is not None
    assert (door.route, door.canary) == (OLD.entrypoint, None)
    assert {s.name for s in target.observe("shop").services} == running(target) == names(OLD)


def test_a_missing_secret_takes_back_what_was_begun() -> None:
    """It is no failure of a service, and no reason to leave half a release."""
    error = MissingSecretError("no value")
    target = MemoryTarget()
    push(target, OLD)
    target.fails = lambda op: (
        error if isinstance(op, StartService) and op.service.chainlet == "Root" else None
    )
    with pytest.raises(MissingSecretError):
        push(target, NEW)
    assert running(target) == names(OLD)


@pytest.mark.parametrize("keeps", [True, False])
def test_replicas_that_became_ready_may_be_kept(*, keeps: bool) -> None:
    """Who follows a load wants them, though the one after them found no room; a release wants all or none."""

    def no_third(operation: Operation) -> ChainctlError | None:
        is_third = isinstance(operation, AwaitReady) and operation.replica == 3
        return DeployError("no room") if is_third else None

    target = MemoryTarget(fails=no_third)
    push(target, OLD)
    left = replace(OLD.service_of("Left"), replicas=3)
    wanted = replace(OLD, services=tuple(left if s.name == left.name else s for s in OLD.services))
    plan = reconcile(desired_state(wanted), target.observe("shop"))
    with pytest.raises(DeployError, match="no room"):
        execute(plan, target, silent, still_clock, keeps_ready=keeps)
    seen = [s for s in target.observe("shop").services if s.name == left.name]
    assert {s.replica for s in seen if s.status is ServiceStatus.RUNNING} == ({1, 2} if keeps else {1})
