"""A chain that serves in; its replicas following their load, look by look, out.

One process scales a chain, others stand by. Nothing is remembered that the next look would need: a process that is
killed leaves replicas that were begun and not awaited, or drained and not stopped, and the next one repairs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from chainctl.deploy.autoscale import Course, Verdict, demands
from chainctl.deploy.execute import execute
from chainctl.deploy.load import Loads
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import Release, ServiceSpec
from chainctl.deploy.scaling_plan import running_counts, scaling_plan
from chainctl.deploy.state import ObservedState
from chainctl.deploy.target import DeployTarget
from chainctl.errors import ChainctlError, LockHeldError, LockLostError, StateError
from chainctl.events import Event
from chainctl.state.lease import Lease
from chainctl.state.ledger import Ledger
from chainctl.workflows.placing import placed

OBSERVE_SEC = 10.0
"""So often it is looked at what runs, where nothing else says that it changed."""
DOUBT_SEC = 1.0
"""So soon where something does not answer."""
FIRST_PAUSE_SEC, LONGEST_PAUSE_SEC = 2.0, 60.0
SETTLE_SEC = 20.0
"""So long changes that are under way may take to end, once all is over."""
_EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A service that has another number of replicas now."""

    chain: str
    chainlet: str
    service: str
    before: int
    after: int
    cause: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """What hears of changes, and of all else, once each time that it comes to be."""

    changed: Callable[[Change], None]
    said: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is released of a chain, what runs of it, and when that was seen."""

    release: Release
    edited: frozenset[str]
    observed: ObservedState
    at: float

    @property
    def running(self) -> dict[str, int]:
        return running_counts(self.observed)

    @property
    def followed(self) -> Iterator[ServiceSpec]:
        """Yield what follows its load; one with other code than its image has stays as it is."""
        return (s for s in self.release.services if s.scaling and s.name not in self.edited)


@dataclass(slots=True)
class _Pause:
    """How long nothing more is tried of a service that could not be changed."""

    until: float
    seconds: float


@dataclass(slots=True)
class Scaler:
    """Follows the load of one chain. `look` is called again and again, by one thread."""

    chain: str
    target: DeployTarget
    ledger: Ledger
    told: Told
    clock: Callable[[], float]
    _courses: dict[str, Course] = field(default_factory=dict)
    _jobs: dict[str, Future[None]] = field(default_factory=dict)
    _pauses: dict[str, _Pause] = field(default_factory=dict)
    _sight: _Sight | None = None
    _holding: ExitStack | None = None
    _is_kept_out: bool = False

    def look(self, within_sec: float = 0.0) -> None:
        """Look once, and begin what is to be changed. Takes up to `within_sec` where a request may have to wake it.

        Raises EngineError, and what the ledger raises.
        """
        self._collect()
        sight = self._seen()
        if sight is None:
            return
        loads = self.target.loads(self.chain, sorted(sight.running), self._patience(sight, within_sec))
        self._remember(sight, loads)
        if not loads.services.keys() >= sight.running.keys():
            self._doubt(sight)
        if any(not plan.is_empty for _, _, plan in self._plans(sight)):
            self._begin()
        else:
            self._is_kept_out = False

    def settle(self, within_sec: float) -> None:
        """Wait for changes that are under way, then let go of the chain."""
        wait(self._jobs.values(), within_sec)
        self._collect()
        self._let_go()

    def _seen(self) -> _Sight | None:
        """Return what there is, looked at anew when it is old; None where nothing follows its load."""
        now = self.clock()
        if self._sight is None or now - self._sight.at > OBSERVE_SEC:
            last = self.ledger.latest(self.chain)
            scaled = last is not None and any(s.scaling for s in last.release.services)
            self._sight = None
            if last is not None and scaled:
                observed = self.target.observe(self.chain)
                self._sight = _Sight(last.release, self.ledger.edited(self.chain), observed, now)
        return self._sight

    def _doubt(self, sight: _Sight) -> None:
        """Look soon again at what runs: something that should does not answer."""
        if self._sight is not None:
            self._sight = replace(sight, at=min(sight.at, self.clock() - OBSERVE_SEC + DOUBT_SEC))

    def _patience(self, sight: _Sight, within_sec: float) -> float:
        """Wait at the door only while its service sleeps and nothing is being changed."""
        is_asleep = not sight.running.get(sight.release.entrypoint)
        return within_sec if is_asleep and not self._jobs else 0.0

    def _remember(self, sight: _Sight, loads: Loads) -> None:
        """Add what was seen to the course of each service; those that are gone are forgotten."""
        now, running = self.clock(), sight.running
        found = demands(sight.release, loads, running)
        courses = {}
        for service in sight.followed:
            assert service.scaling is not None
            there = self._courses.get(service.name)
            course = there if there and there.scaling == service.scaling else Course(service.scaling)
            courses[service.name] = course.seen(now, found[service.name], running.get(service.name, 0))
        self._courses = courses

    def _plans(self, sight: _Sight) -> Iterator[tuple[ServiceSpec, Verdict, DeployPlan]]:
        """Yield what is to be done of services of which nothing is under way."""
        door, running = sight.observed.front_door, sight.running
        if door is None or door.canary is not None:
            return
        for service in sight.followed:
            pause = self._pauses.get(service.name)
            is_left = service.name in self._jobs or service.name not in self._courses
            if is_left or (pause is not None and self.clock() < pause.until):
                continue
            verdict = self._courses[service.name].verdict(running.get(service.name, 0))
            cause = verdict.cause or "an earlier change was cut off"
            is_entrypoint = service.name == sight.release.entrypoint
            yield (
                service,
                replace(verdict, cause=cause),
                scaling_plan(service, verdict.wanted, sight.observed, cause, is_entrypoint=is_entrypoint),
            )

    def _begin(self) -> None:
        """Begin changes under the chain's lock, from what is there now that it is held."""
        if not self._hold():
            return
        self._sight = None
        sight = self._seen()
        for service, verdict, plan in self._plans(sight) if sight else ():
            if plan.is_empty:
                continue
            before = sight.running.get(service.name, 0) if sight else 0
            self._jobs[service.name] = _begun(self._change, service, before, verdict, plan)
        if not self._jobs:
            self._let_go()

    def _change(self, service: ServiceSpec, before: int, verdict: Verdict, plan: DeployPlan) -> None:
        begun = self.clock()
        execute(placed(plan, self.target), self.target, _unsaid, self.clock, keeps_ready=True)
        took = self.clock() - begun
        self.told.changed(
            Change(self.chain, service.chainlet, service.name, before, verdict.wanted, verdict.cause, took)
        )

    def _collect(self) -> None:
        """Take note of what ended; nothing of a service that failed is tried for a while, then for longer."""
        done = [name for name, job in self._jobs.items() if job.done()]
        for name in done:
            self._note(name, self._jobs.pop(name))
        if done:
            self._sight = None
            if not self._jobs:
                self._let_go()

    def _note(self, name: str, job: Future[None]) -> None:
        error = job.exception()
        if error is None:
            self._pauses.pop(name, None)
            return
        if not isinstance(error, ChainctlError):
            raise error
        before = self._pauses.get(name)
        seconds = min(before.seconds * 2, LONGEST_PAUSE_SEC) if before else FIRST_PAUSE_SEC
        self._pauses[name] = _Pause(self.clock() + seconds, seconds)
        self.told.said(f"{self.chain}: {error.message}; it is tried again in {seconds:g} s")
        for line in error.details[-_EVIDENCE:]:
            self.told.said(f"  {line}")

    def _hold(self) -> bool:
        """Take the chain's lock, unless a command waits for it or has it."""
        if self.ledger.is_awaited(self.chain):
            return False
        if self._holding is not None:
            return True
        holding = ExitStack()
        try:
            holding.enter_context(self.ledger.lock(self.chain))
        except LockHeldError as error:
            if not self._is_kept_out:
                self.told.said(f"{self.chain} stays as it is meanwhile: {error.message}")
            self._is_kept_out = True
            return False
        self._holding, self._is_kept_out = holding, False
        return True

    def _let_go(self) -> None:
        if self._holding is not None:
            holding, self._holding = self._holding, None
            holding.close()


def follow(
    scaler: Scaler, over: threading.Event, interval_sec: float, *, settle_sec: float = SETTLE_SEC
) -> None:
    """Scale a chain until it is over; stand by while another process does.

    What may pass by itself, such as an engine that is away, is told and waited for.
    """
    away = _Away(scaler)
    while not over.is_set():
        try:
            with scaler.ledger.scaler(scaler.chain) as lease:
                try:
                    _look_on(scaler, lease, over, interval_sec, away)
                finally:
                    scaler.settle(settle_sec)
        except ChainctlError as error:
            over.wait(away.pause(error))


def _look_on(scaler: Scaler, lease: Lease, over: threading.Event, interval_sec: float, away: _Away) -> None:
    """Look until it is over. Raises LockLostError, and StateError where the state does not answer."""
    while not over.is_set():
        begun = scaler.clock()
        lease.check()
        try:
            scaler.look(interval_sec)
            away.ended()
            pause = interval_sec - (scaler.clock() - begun)
        except (LockLostError, StateError):
            raise
        except ChainctlError as error:
            pause = away.pause(error)
        over.wait(max(0.0, pause))


def look_once(scaler: Scaler, within_sec: float) -> None:
    """Look once and see what is begun to its end. Raises LockHeldError where another process scales the chain."""
    with scaler.ledger.scaler(scaler.chain):
        try:
            scaler.look()
        finally:
            scaler.settle(within_sec)


@dataclass(slots=True)
class _Away:
    """Tells once that something does not answer, or stands in the way, and once that it goes on."""

    scaler: Scaler
    seconds: float = 0.0
    message: str = ""

    def pause(self, error: ChainctlError) -> float:
        """Return how long to wait until it is tried again: longer each time."""
        self.seconds = min(max(1.0, self.seconds * 2), LONGEST_PAUSE_SEC / 2)
        if isinstance(error, LockHeldError):
            self.seconds = FIRST_PAUSE_SEC
            message = f"{self.scaler.chain}: standing by, as another process scales it already"
        else:
            message = f"{self.scaler.chain}: {error.message}; trying again"
        if not self.message:
            self.scaler.told.said(message)
        self.message = message
        return self.seconds

    def ended(self) -> None:
        if self.message:
            self.scaler.told.said(f"{self.scaler.chain}: its load is followed again")
        self.seconds, self.message = 0.0, ""


def _begun(work: Callable[..., None], *given: object) -> Future[None]:
    """Begin something in a thread that does not keep the process alive: what is cut off is repaired."""
    job: Future[None] = Future()

    def run() -> None:
        try:
            work(*given)
            job.set_result(None)
        except BaseException as error:  # noqa: BLE001  # given to who takes the result
            job.set_exception(error)

    threading.Thread(target=run, daemon=True, name="scale").start()
    return job


def _unsaid(_event: Event) -> None:
    """Changes are told as one line each, not operation by operation."""
