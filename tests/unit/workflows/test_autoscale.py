"""A chain in memory follows its load, look by look; changes are made as by anybody else, under its lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chainctl.deploy.execute import execute
from chainctl.deploy.load import Loads, ServiceLoad
from chainctl.deploy.operations import AwaitReady, Operation, StartService, StopService
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.state import ServiceStatus, desired_state
from chainctl.errors import DeployError, EngineError
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.autoscale import Change, Scaler, Told, follow, look_once
from tests.conftest import await_condition
from tests.fakes.chains import chainlet, graph_of, release_of, silent, still_clock
from tests.fakes.target import MemoryTarget

WITHIN_SEC = 10.0
COMPUTE = {"min_replicas": 0, "max_replicas": 3, "target_concurrency": 10, "scale_down_delay": 30}


def sleepy() -> Release:
    """Ask calls Embed; both may sleep."""
    specs = [chainlet(name, config={"compute": COMPUTE}) for name in ("Ask", "Embed")]
    return release_of(graph_of({"Ask": ["Embed"], "Embed": []}, specs=specs))


@dataclass
class Place:
    """A chain that serves, and who scales it. `now` is the time, in seconds."""

    root: Path
    release: Release = field(default_factory=sleepy)
    target: MemoryTarget = field(default_factory=MemoryTarget)
    changes: list[Change] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.ledger = self.another_ledger()
        execute(
            reconcile(desired_state(self.release), self.target.observe("shop")),
            self.target,
            silent,
            still_clock,
        )
        self.ledger.record(Record(1, self.release, 1.0, "chain.py"))
        self.target.applied.clear()
        self.scaler = self.another_scaler()

    def another_ledger(self) -> Ledger:
        return Ledger(self.root, "memory")

    def another_scaler(self) -> Scaler:
        told = Told(self.changes.append, self.said.append)
        return Scaler("shop", self.target, self.another_ledger(), told, lambda: self.now)

    def load(self, *, held: int = 0, **calls: int) -> None:
        """What chainlets have under way now."""
        names = {s.chainlet: s.name for s in self.release.services}
        self.target.loaded = Loads({names[n]: ServiceLoad(k, replicas=3) for n, k in calls.items()}, held)

    def look(self, seconds: float = 1.0) -> None:
        """Look, and see to its end what that begins."""
        self.now += seconds
        self.scaler.look()
        self.scaler.settle(WITHIN_SEC)

    def running(self) -> dict[str, int]:
        services = self.target.observe("shop").services
        found = [s.chainlet for s in services if s.status is ServiceStatus.RUNNING]
        return {name: found.count(name) for name in sorted(set(found))}

    def told(self) -> list[tuple[str, int, int, str]]:
        """What was changed since this was asked last."""
        told = sorted((c.chainlet, c.before, c.after, c.cause) for c in self.changes)
        self.changes.clear()
        return told

    def put_to_sleep(self) -> None:
        self.load(Ask=0, Embed=0)
        for _ in range(32):
            self.look()
        assert self.running() == {}
        self.told()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_replicas_follow_the_load(place: Place) -> None:
    """Up as soon as it lasts, down after the delay; the entrypoint's traffic goes to all of them."""
    place.load(Ask=1, Embed=25)
    place.look()
    assert place.told() == [("Embed", 1, 3, "25 calls under way or waiting, 10 each")]
    place.load(Ask=15, Embed=25)
    place.look()
    assert place.running() == {"Ask": 2, "Embed": 3}
    door = place.target.observe("shop").front_door
    assert door is not None
    assert door.replicas == 2
    place.told()
    place.load(Ask=1, Embed=1)
    for _ in range(40):
        place.look()
    assert place.running() == {"Ask": 1, "Embed": 1}
    assert {line[3] for line in place.told()} == {"at most 1 call under way or waiting for 30 s, 10 each"}


def test_a_chain_sleeps_and_is_woken_as_a_whole(place: Place) -> None:
    """By the first request that the door holds."""
    place.put_to_sleep()
    place.load(held=1)
    place.look()
    assert place.told() == [
        ("Ask", 0, 1, "1 call under way or waiting, 10 each"),
        ("Embed", 0, 1, "Ask, which calls it, is woken"),
    ]
    place.load(Ask=0, Embed=0)
    for _ in range(25):
        place.look()
    assert place.running() == {"Ask": 1, "Embed": 1}


def test_no_release_is_recorded_for_it(place: Place) -> None:
    """What is wanted has not changed."""
    place.put_to_sleep()
    assert place.ledger.numbers("shop") == [1]


def test_services_are_started_side_by_side(place: Place) -> None:
    """The second is begun before the first is ready."""
    place.put_to_sleep()
    both = threading.Barrier(2, timeout=WITHIN_SEC)

    def together(operation: Operation) -> None:
        if isinstance(operation, AwaitReady):
            both.wait()

    place.target.fails = together
    place.load(held=1)
    place.look()
    assert place.running() == {"Ask": 1, "Embed": 1}


def test_a_command_that_changes_the_chain_is_left_alone(place: Place) -> None:
    """It is said once, and looked again."""
    place.load(Ask=1, Embed=25)
    with place.ledger.lock("shop"):
        place.look()
        place.look()
    assert place.running() == {"Ask": 1, "Embed": 1}
    assert [line.partition(":")[0] for line in place.said] == ["shop stays as it is meanwhile"]
    place.look()
    assert place.running()["Embed"] == 3


def test_a_command_waits_for_a_change_and_no_other_is_begun(place: Place) -> None:
    """It has the lock as soon as what is under way has ended."""
    place.load(Ask=1, Embed=25)
    is_begun, may_end = threading.Event(), threading.Event()

    def slowly(operation: Operation) -> None:
        if isinstance(operation, AwaitReady):
            is_begun.set()
            assert may_end.wait(WITHIN_SEC)

    place.target.fails = slowly
    with _scaling(place):
        assert is_begun.wait(WITHIN_SEC)
        held: list[dict[str, int]] = []
        push = threading.Thread(target=lambda: _push(place, held))
        push.start()
        await_condition(lambda: place.another_ledger().is_awaited("shop"), seconds=WITHIN_SEC)
        assert held == []
        may_end.set()
        push.join(WITHIN_SEC)
        assert held == [{"Ask": 1, "Embed": 3}]


def _push(place: Place, held: list[dict[str, int]]) -> None:
    with place.another_ledger().lock("shop"):
        held.append(place.running())


@contextmanager
def _scaling(place: Place) -> Iterator[threading.Event]:
    """Let a thread follow the load."""
    over = threading.Event()
    thread = threading.Thread(target=follow, args=(place.scaler, over, 0.01))
    thread.start()
    try:
        yield over
    finally:
        over.set()
        thread.join(WITHIN_SEC)
        assert not thread.is_alive()


def test_a_replica_that_does_not_start_is_tried_again_later_and_then_later_still(place: Place) -> None:
    """The others go on; what failed is said, with its last words."""
    place.target.never_ready.add("Embed")
    place.load(Ask=15, Embed=25)
    for _ in range(6):
        place.look()
    assert place.running() == {"Ask": 2, "Embed": 1}
    assert [line for line in place.said if "Embed" in line] == [
        "shop: Embed did not become ready; it is tried again in 2 s",
        "shop: Embed did not become ready; it is tried again in 4 s",
    ]
    place.target.never_ready.clear()
    place.look()
    assert place.running()["Embed"] == 3


def test_what_a_killed_scaler_left_is_repaired(place: Place) -> None:
    """Wherever it was cut off, while it woke or put to sleep: the next one finds it, and ends it."""
    place.load(Ask=1, Embed=25)
    place.scaler.look()
    place.scaler.settle(WITHIN_SEC)
    embed = place.release.service_of("Embed")
    place.target.apply(StopService("shop", embed.name, "Embed", "cut off", replica=2), silent)
    place.target.apply(StartService(embed, "cut off", replica=2), silent)
    place.scaler = place.another_scaler()
    place.look()
    assert place.running() == {"Ask": 1, "Embed": 3}


def test_an_engine_that_is_away_is_waited_for(place: Place) -> None:
    """Once it is said that it is, once that it answers."""
    looks, seen = iter([EngineError("The engine does not answer")]), place.target.loads

    def loads(chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        error = next(looks, None)
        if error is not None:
            raise error
        return seen(chain, services, within_sec)

    place.target.loads = loads  # type: ignore[method-assign]  # the engine goes and comes
    place.load(Ask=1, Embed=25)
    with _scaling(place):
        await_condition(lambda: place.running().get("Embed") == 3, seconds=WITHIN_SEC)
        await_condition(lambda: len(place.said) == 2, seconds=WITHIN_SEC)
    assert place.said == [
        "shop: The engine does not answer; trying again",
        "shop: its load is followed again",
    ]


def test_a_second_scaler_stands_by(place: Place) -> None:
    """It says so, and takes over when the first is gone."""
    with place.another_ledger().scaler("shop"):
        assert place.ledger.has_scaler("shop")
        with _scaling(place):
            await_condition(lambda: bool(place.said), seconds=WITHIN_SEC)
    assert place.said == ["shop: standing by, as another process scales it already"]
    assert not place.ledger.has_scaler("shop")


def test_one_look_goes_up_and_never_down(place: Place) -> None:
    """It has seen nothing of the time before."""
    place.load(Ask=0, Embed=25)
    look_once(place.scaler, WITHIN_SEC)
    assert place.running() == {"Ask": 1, "Embed": 3}


def test_a_service_with_edited_code_is_left_alone(place: Place) -> None:
    """One more of it would have other code."""
    place.ledger.mark_edited("shop", [place.release.service_of("Embed").name])
    place.load(Ask=15, Embed=25)
    place.look()
    assert place.running() == {"Ask": 2, "Embed": 1}


def test_a_chain_without_bounds_or_without_a_release_is_left_alone(tmp_path: Path) -> None:
    place = Place(
        tmp_path, replace(sleepy(), services=tuple(replace(s, scaling=None) for s in sleepy().services))
    )
    place.look()
    place.ledger.forget("shop")
    place.look(60)
    assert (place.target.applied, place.changes) == ([], [])


def test_a_failure_of_no_kind_that_is_known_is_not_hidden(place: Place) -> None:
    def broken(_operation: Operation) -> DeployError:
        raise RuntimeError("broken")

    place.target.fails = broken
    place.load(Ask=0, Embed=25)
    with pytest.raises(RuntimeError, match="broken"):
        place.look()
