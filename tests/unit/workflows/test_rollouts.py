"""Warm releases, canaries, rollbacks, restarts and history, with everything outside in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chainctl.deploy.canary import Canary, Traffic
from chainctl.deploy.generations import carried_over
from chainctl.deploy.operations import Route, SplitRoute, StopService
from chainctl.deploy.release import Release, SecretRef, Strategy
from chainctl.deploy.scale import scaled
from chainctl.deploy.state import Capacity, ServiceStatus
from chainctl.errors import (
    CanaryError,
    ChainctlError,
    DeployError,
    LockHeldError,
    MissingSecretError,
    UsageError,
)
from chainctl.events import Event, Notice
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.canary import watching
from chainctl.workflows.draft import Draft
from chainctl.workflows.history import PastRelease, explained, history, warm_services
from chainctl.workflows.push import Pushed, push
from chainctl.workflows.redeploy import Redeployed, Site
from chainctl.workflows.restart import restart
from chainctl.workflows.rollback import rollback
from chainctl.workflows.rollout import Rollout
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import graph_of, release_of, snapshot_of
from tests.fakes.target import MemoryTarget
from tests.fakes.vault import MemoryVault
from tests.unit.workflows.test_push import ORIGIN, draft


@dataclass
class World:
    """What pushes, rollbacks and restarts act on, and what they told."""

    ledger: Ledger
    backend: MemoryBackend = field(default_factory=MemoryBackend)
    target: MemoryTarget = field(default_factory=MemoryTarget)
    vault: MemoryVault = field(default_factory=MemoryVault)
    told: list[Event] = field(default_factory=list)
    clock: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def now(self) -> float:
        return float(self.clock())

    def push(self, *edited: str, keep_warm: int = 0, canary: Canary | None = None) -> Pushed:
        return self.push_draft(draft(*edited), Rollout(keep_warm, canary))

    def push_draft(self, wanted: Draft, rollout: Rollout) -> Pushed:
        return push(
            wanted, self.backend, self.target, self.ledger, ORIGIN, self.told.append, self.now, None, rollout
        )

    @property
    def site(self) -> Site:
        return Site(self.backend, self.target, self.ledger, self.vault, "you")

    def rollback(self, to: int | None = None, *, keep_warm: int = 0) -> Redeployed:
        return rollback("shop", to, self.site, keep_warm, self.told.append, self.now)

    def restart(self, chainlet: str | None = None) -> Redeployed:
        return restart("shop", chainlet, self.site, 0, self.told.append, self.now)

    def running(self) -> set[str]:
        services = self.target.observe("shop").services
        return {s.name for s in services if s.status is ServiceStatus.RUNNING}

    def route(self) -> str | None:
        door = self.target.observe("shop").front_door
        return door.route if door else None

    def past(self) -> list[PastRelease]:
        return history(self.ledger, "shop")

    def notices(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Notice)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty world."""
    return World(Ledger(tmp_path, "memory"))


def names(*releases: Release) -> set[str]:
    return {service.name for release in releases for service in release.services}


ONE, TWO, THREE = (draft(*edited).release for edited in ((), ("Left",), ("Right",)))


# --- warm releases ---------------------------------------------------------------------------


def test_the_last_releases_stay_warm_as_long_as_a_push_says_so(world: World) -> None:
    """Of each push its own number; one without a number removes all."""
    world.push()
    world.push("Left", keep_warm=1)
    assert world.running() == names(ONE, TWO)
    world.push("Right", keep_warm=2)
    assert world.running() == names(ONE, TWO, THREE)
    assert world.push("Right", keep_warm=1).number == 3
    assert world.running() == names(TWO, THREE)
    world.push("Right")
    assert world.running() == names(THREE)


def test_ps_knows_which_release_a_warm_service_is_of(world: World) -> None:
    """Of those that are not in the last one; what does not run is not warm."""
    world.push()
    world.push("Left", keep_warm=1)
    left, root = ONE.service_of("Left").name, ONE.service_of("Root").name
    assert warm_services(world.ledger, world.target.observe("shop")) == {left: 1, root: 1}
    world.push("Left")
    assert warm_services(world.ledger, world.target.observe("shop")) == {}


# --- rollback --------------------------------------------------------------------------------


def test_a_rollback_is_a_new_release_of_old_services(world: World) -> None:
    """Nothing is built; the new number has the old release, its inputs and source, and who did it."""
    world.push()
    world.push("Left")
    built = list(world.backend.started)
    done = world.rollback()
    assert (done.number, done.origin, done.url) == (3, 1, "http://127.0.0.1:8080")
    assert world.backend.started == built
    assert (world.running(), world.route()) == (names(ONE), ONE.entrypoint)
    first, third = world.ledger.load("shop", 1), world.ledger.load("shop", 3)
    assert third == replace(first, number=3, user="you", time=third.time)
    assert third.time > first.time


def test_a_rollback_without_a_number_goes_to_the_last_other_release(world: World) -> None:
    """So two of them lead to and fro."""
    world.push()
    world.push("Left")
    assert [world.rollback().origin for _ in range(3)] == [1, 2, 3]
    assert world.rollback(1).origin == 1
    assert world.rollback(1).number == world.rollback(1).number


def test_a_rollback_to_a_warm_release_is_one_flip(world: World) -> None:
    """And with `--keep-warm` the way forward is one again."""
    world.push()
    world.push("Left", keep_warm=1)
    for release in (ONE, TWO, ONE):
        done = world.rollback(keep_warm=1)
        assert [type(op) for op in done.plan.operations] == [Route]
        assert world.route() == release.entrypoint
    assert world.running() == names(ONE, TWO)


def test_a_rollback_to_images_that_are_gone_touches_nothing(world: World) -> None:
    """They are named, and the source and revision to push again."""
    world.push()
    world.push("Left")
    gone = ONE.service_of("Left").image
    world.backend.images = {ref for ref in world.backend.images if str(ref) != gone}
    world.target.applied.clear()
    with pytest.raises(DeployError, match="release 1 of shop can not be started: 1 image is gone") as raised:
        world.rollback()
    assert raised.value.details == (f"{gone} of Left",)
    assert raised.value.hint == "push its source again (revision abc): /project/chain.py"
    assert (world.target.applied, world.ledger.numbers("shop")) == ([], [1, 2])


def test_images_that_run_are_not_asked_for(world: World) -> None:
    """A warm release needs none."""
    world.push()
    world.push("Left", keep_warm=1)
    world.backend.images = set()
    assert world.rollback().origin == 1


def test_secrets_of_an_old_release(world: World) -> None:
    """One without a value is named before anything is touched; one with another value is told of."""
    secret = SecretRef("key", "old")
    services = tuple(replace(s, secrets=(secret,)) if s.chainlet == "Left" else s for s in ONE.services)
    world.push()
    world.ledger.record(
        replace(world.ledger.load("shop", 1), number=2, release=replace(ONE, services=services))
    )
    world.push("Left")
    world.target.applied.clear()
    with pytest.raises(MissingSecretError, match="key"):
        world.rollback(2)
    assert world.target.applied == []
    world.vault.set("key", b"new")
    world.rollback(2)
    assert world.notices()[-1] == "secret `key` has another value than in release 2: the new one is used"


@pytest.mark.parametrize(
    ("to", "message"),
    [(None, "shop has no other release"), (7, "there is no release 7 of shop")],
)
def test_there_must_be_a_release_to_go_back_to(world: World, to: int | None, message: str) -> None:
    """Usage errors, with the command that lists them."""
    world.push()
    with pytest.raises(UsageError, match=message) as raised:
        world.rollback(to)
    assert "chainctl history shop" in raised.value.hint


def test_a_chain_without_releases_can_not_go_back_or_restart(world: World) -> None:
    """It was pushed from elsewhere, or not at all."""
    for change in (world.rollback, world.restart):
        with pytest.raises(UsageError, match="no release of shop is recorded here"):
            change()


def test_a_rollback_that_fails_leaves_what_serves(world: World) -> None:
    """As a push does."""
    world.push()
    world.push("Left")
    world.target.never_ready = {"Root"}
    with pytest.raises(DeployError):
        world.rollback()
    assert (world.running(), world.route()) == (names(TWO), TWO.entrypoint)
    assert world.ledger.numbers("shop") == [1, 2]


def test_both_hold_the_lock(world: World) -> None:
    """One change of a chain at a time."""
    world.push()
    with world.ledger.lock("shop"):
        for change in (world.rollback, world.restart):
            with pytest.raises(LockHeldError):
                change()


# --- restart ---------------------------------------------------------------------------------


def test_a_restart_is_a_release_of_the_same_images(world: World) -> None:
    """Started beside the old ones, and kept by the next push of the same."""
    world.push()
    built = list(world.backend.started)
    done = world.restart()
    assert (done.number, world.backend.started) == (2, built)
    assert not world.running() & names(ONE)
    last = world.ledger.load("shop", 2).release
    assert world.running() == names(last)
    again = draft()
    again = replace(again, release=carried_over(again.release, last))
    assert world.push_draft(again, Rollout()).number == 2


def test_one_chainlet_is_restarted_with_its_callers(world: World) -> None:
    """The others go on."""
    world.push()
    world.restart("Left")
    kept = {ONE.service_of("Right").name}
    assert world.running() & names(ONE) == kept
    with pytest.raises(UsageError, match="shop has no chainlet called Nobody") as raised:
        world.restart("Nobody")
    assert raised.value.hint == "it has Left, Right, Root."


# --- recreate --------------------------------------------------------------------------------


def test_room_is_asked_for_only_where_something_is_replaced(world: World) -> None:
    """The reason is in the plan; a chainlet that insists stays beside."""
    world.target.has = Capacity(memory_bytes=3 << 30)
    assert not any("successor" in op.cause for op in world.push().plan.operations)
    stops = [op for op in world.push("Left").plan.operations if isinstance(op, StopService)]
    assert stops[0].cause == (
        "ended before its successor starts: two of it need 4Gi of memory, there are 3Gi"
    )
    beside = draft("Right")
    services = tuple(replace(s, strategy=Strategy.REPLACE) for s in beside.release.services)
    beside = replace(beside, release=replace(beside.release, services=services))
    plan = world.push_draft(beside, Rollout()).plan
    assert not any("successor" in op.cause for op in plan.operations)


# --- canary ----------------------------------------------------------------------------------


def counted(new: Traffic, old: Traffic) -> Mapping[str, Traffic]:
    return {TWO.entrypoint: new, ONE.entrypoint: old}


GOOD, BAD = Traffic(50, 50, 0, 0.01), Traffic(50, 50, 25, 0.01)


def test_a_canary_that_does_well_gets_all_traffic(world: World) -> None:
    """What was counted is told, the release is recorded, the old services go."""
    world.push()
    world.target.counted = [counted(GOOD, GOOD)]
    done = world.push("Left", canary=Canary(10, 0))
    assert done.number == 2
    assert any(isinstance(op, SplitRoute) for op in done.plan.operations)
    assert (world.running(), world.route()) == (names(TWO), TWO.entrypoint)
    assert world.notices() == [
        f"{TWO.entrypoint}: 50 requests, 50 answered, 0 failed (0 %), 10 ms on average",
        f"{ONE.entrypoint}: 50 requests, 50 answered, 0 failed (0 %), 10 ms on average",
        "The canary gets all traffic: 0 % of its 50 requests failed",
    ]


def test_a_canary_that_does_worse_is_taken_back(world: World) -> None:
    """Exit code 1, the evidence, the old release as before, and no new number."""
    world.push()
    world.target.counted = [counted(BAD, GOOD)]
    with pytest.raises(CanaryError, match=r"was taken back: 50 % of its requests failed") as raised:
        world.push("Left", canary=Canary(10, 60))
    assert raised.value.exit_code == 1
    assert raised.value.details == (
        f"{TWO.entrypoint}: 50 requests, 50 answered, 25 failed (50 %), 10 ms on average",
        f"{ONE.entrypoint}: 50 requests, 50 answered, 0 failed (0 %), 10 ms on average",
    )
    assert (world.running(), world.route()) == (names(ONE), ONE.entrypoint)
    assert world.ledger.numbers("shop") == [1]


def test_a_first_release_is_no_canary(world: World) -> None:
    """It is said, and the release serves."""
    world.push(canary=Canary(10, 60))
    assert world.route() == ONE.entrypoint
    assert "There is no traffic to split: no canary is tried." in world.notices()


def test_a_watch_looks_until_it_is_over() -> None:
    """Each second, and the last time at the end."""
    target, time = MemoryTarget(), [0.0]
    target.counted = [{}, {}, counted(GOOD, GOOD)]
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        time[0] += seconds

    watch = watching(Canary(10, 2.5), target, lambda _: None, lambda: time[0], pause)
    watch(SplitRoute("shop", TWO.entrypoint, ONE.entrypoint, 10, "test"))
    assert paused == [1.0, 1.0, 0.5]


# --- history ---------------------------------------------------------------------------------


def test_history_says_what_each_release_changed(world: World) -> None:
    """The newest first."""
    world.push()
    world.push("Left")
    world.rollback()
    world.restart("Right")
    assert [(p.record.number, p.changes, p.is_latest) for p in world.past()] == [
        (4, ("Right: it is restarted",), True),
        (3, ("as release 1",), False),
        (2, ("Left: its image changed",), False),
        (1, ("first release",), False),
    ]


def test_history_knows_a_release_again_in_another_scale() -> None:
    """A rollback keeps the counts of now; one of a push tells of those that differ."""
    one = release_of(graph_of({"Root": []}))
    two = release_of(graph_of({"Root": []}), snapshot_of({"chain.py": "edited"}))
    releases = [one, two, scaled(two, {"Root": 3}), scaled(one, {"Root": 3}), scaled(two, {"Root": 2})]
    records = [Record(n, release, 0.0, "/c.py", "ann") for n, release in enumerate(releases, 1)]
    assert [past.changes for past in reversed(explained(records))] == [
        ("first release",),
        ("Root: its image changed",),
        ("Root: 3 replicas, 1 before",),
        ("as release 1",),
        ("as release 2", "Root: 2 replicas, 3 before"),
    ]


def test_history_of_nothing_is_empty(world: World) -> None:
    """No error: the command line says what is known."""
    assert world.past() == []
    with pytest.raises(ChainctlError):
        world.ledger.load("shop", 1)
