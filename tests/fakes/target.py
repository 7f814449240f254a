"""Operations in, chains changed in memory out: a DeployTarget that keeps its invariants loudly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from chainctl.deploy.canary import Traffic
from chainctl.deploy.devices import HostDevices
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.release import ServiceSpec, replica_name
from chainctl.deploy.state import Capacity, ObservedDoor, ObservedService, ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit
from tests.fakes.controls import FakeControl, FakeControls

Failure = Callable[[Operation], ChainctlError | None]


def never(_operation: Operation) -> ChainctlError | None:
    """Let every operation succeed."""
    return None


@dataclass
class MemoryChain:
    """All that one chain has. `ready` are the services that a readiness check was passed by."""

    services: dict[str, ObservedService] = field(default_factory=dict)
    specs: dict[str, ServiceSpec] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    door: ObservedDoor | None = None
    has_network: bool = False


class MemoryTarget:
    """A target in memory. `fails` names the error of an operation; `applied` is what was asked for, in order.

    A service in `never_ready` (by chainlet) fails when it is awaited; callers start without one that may sleep.
    Raises AssertionError for an order that would hurt on a real target: a service without its network or its
    callees, traffic for what is not ready, a network taken from under its services.
    """

    def __init__(self, *, fails: Failure = never, never_ready: Iterable[str] = ()) -> None:
        self.applied: list[Operation] = []
        self.fails = fails
        self.never_ready = set(never_ready)
        self.calls: dict[str, tuple[int, bytes]] = {}
        self.answers: dict[tuple[str, str], bytes] = {}
        self.has = Capacity()
        self.counted: list[Mapping[str, Traffic]] = [{}]
        self.host: HostDevices | None = None
        self.loaded = Loads()
        self.doubts: tuple[str, ...] = ()
        self._chains: dict[str, MemoryChain] = {}
        self.controls = FakeControls()
        self._now = 0.0

    def control(self, chain: str, service: str, replica: int = 1) -> FakeControl:
        return self.controls.control(chain, service, replica)

    @property
    def name(self) -> str:
        return "memory"

    @property
    def pulls(self) -> bool:
        return False

    def connect(self, chain: str) -> None:
        """Return nothing: there is nothing that listens."""

    def observe(self, chain: str) -> ObservedState:
        has = self._chains.get(chain, MemoryChain())
        services = tuple(_shown(has, has.services[name]) for name in sorted(has.services))
        return ObservedState(chain, services, has.door, has.has_network)

    def gpus(self) -> HostDevices | None:
        return self.host

    def chains(self) -> list[str]:
        return sorted(self._chains)

    def specs(self, chain: str) -> dict[str, ServiceSpec]:
        """What each service was started from."""
        return dict(self._chains.get(chain, MemoryChain()).specs)

    def ready(self, chain: str) -> frozenset[str]:
        """The replicas that passed their readiness checks, by their own names."""
        return frozenset(self._chains.get(chain, MemoryChain()).ready)

    def apply(self, operation: Operation, emit: Emit) -> None:
        self.applied.append(operation)
        error = self.fails(operation)
        if error is not None:
            raise error
        match operation:
            case EnsureNetwork(chain=chain):
                self._chain(chain).has_network = True
            case StartService(service=spec, replica=replica):
                self._start(self._chain(spec.chain), spec, replica)
            case AwaitReady(service=spec, replica=replica):
                self._await(self._chain(spec.chain), spec, replica)
            case EnsureFrontDoor(chain=chain, front_door=door):
                has = self._chain(chain)
                route, spread = (has.door.route, has.door.replicas) if has.door else (None, 1)
                url = f"http://{door.bind}:{door.port or 8080}"
                has.door = ObservedDoor(url, door.digest, route, replicas=spread)
            case Route(chain=chain, service=service, replicas=replicas):
                self._route(self._chain(chain), service, replicas)
            case SplitRoute(chain=chain, service=service, before=before, replicas=replicas):
                self._split(self._chain(chain), service, before, replicas)
            case StopService(chain=chain, service=service, replica=replica):
                self._stop(self._chain(chain), service, replica)
            case RemoveFrontDoor(chain=chain):
                self._chain(chain).door = None
            case RemoveNetwork(chain=chain):
                assert not self._chain(chain).services, "the network still has services"
                self._chains.pop(chain)
            case PassGates() | TurnCallers():
                return
            case _:
                assert_never(operation)

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Let every service have a place, with the doubts that a test has."""
        return self.doubts

    def capacity(self) -> Capacity:
        return self.has

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        """Return the next of `counted`; the last one again and again."""
        return self.counted.pop(0) if len(self.counted) > 1 else self.counted[0]

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        """Answer from `calls`, by default with what was sent."""
        if not _runs(self._chains.get(chain, MemoryChain()), service):
            raise DeployError(f"The service {service} is not running")
        return self.calls.get(service, (200, body))

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Answer from `answers`; a path of no entry there is answered with itself, but /-/missing."""
        has = self._chains.get(chain, MemoryChain())
        if not _runs(has, service):
            raise DeployError(f"The service {service} is not running")
        if path == "/-/missing":
            raise DeployError(f"{service} did not answer GET {path}")
        answer = self.answers.get((service, path))
        return json.dumps({"service": service, "path": path}).encode() if answer is None else answer

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Return `loaded`, of those that were asked for and run."""
        has = self._chains.get(chain, MemoryChain())
        told = {n: load for n, load in self.loaded.services.items() if n in services and _runs(has, n)}
        return replace(self.loaded, services=told)

    def reboot(self, chain: str) -> None:
        """Stop everything of a chain, as the end of its machine would."""
        has = self._chain(chain)
        has.services = {n: replace(s, status=ServiceStatus.STOPPED) for n, s in has.services.items()}
        has.door = replace(has.door, status=ServiceStatus.STOPPED) if has.door else None
        has.ready.clear()

    def put(self, state: ObservedState) -> None:
        """Make a chain what was observed somewhere; what runs is taken for ready."""
        running = {s.own_name for s in state.services if s.status is ServiceStatus.RUNNING}
        services = {service.own_name: service for service in state.services}
        self._chains[state.chain] = MemoryChain(services, {}, running, state.front_door, state.has_network)

    def _chain(self, chain: str) -> MemoryChain:
        return self._chains.setdefault(chain, MemoryChain())

    def _start(self, has: MemoryChain, spec: ServiceSpec, replica: int) -> None:
        name = replica_name(spec.name, replica)
        assert has.has_network, f"{name} starts without a network"
        there = has.services.get(name)
        is_same = there is not None and (there.secrets, there.image) == (spec.secrets_digest, spec.image)
        if there is not None and there.status is ServiceStatus.RUNNING and is_same:
            return
        awake = (c.service for c in spec.calls if not c.may_sleep)
        missing = [name for name in awake if not _runs(has, name)]
        assert not missing, f"{name} starts before what it calls: {missing}"
        self._now += 1
        is_running = ServiceStatus.RUNNING
        has.services[name] = ObservedService(
            spec.name,
            spec.chainlet,
            is_running,
            spec.fingerprint,
            spec.image,
            self._now,
            replica=replica,
            secrets=spec.secrets_digest,
        )
        has.specs[name] = spec
        has.ready.discard(name)

    def _await(self, has: MemoryChain, spec: ServiceSpec, replica: int) -> None:
        name = replica_name(spec.name, replica)
        if spec.chainlet in self.never_ready:
            has.services[name] = replace(has.services[name], status=ServiceStatus.FAILED)
            raise DeployError(f"{spec.chainlet} did not become ready", details=["its last words"])
        has.ready.add(name)

    def _route(self, has: MemoryChain, service: str, replicas: int) -> None:
        assert has.door is not None, "there is no door to route"
        _require_ready(has, service, replicas)
        has.door = replace(has.door, route=service, canary=None, replicas=replicas)

    def _split(self, has: MemoryChain, service: str, before: str, replicas: int) -> None:
        assert has.door is not None, "there is no door to split"
        assert has.door.route == before, f"{before} has no traffic to split"
        _require_ready(has, service, replicas)
        has.door = replace(has.door, canary=service)

    def _stop(self, has: MemoryChain, service: str, replica: int) -> None:
        name = replica_name(service, replica)
        has.services.pop(name, None)
        has.specs.pop(name, None)
        has.ready.discard(name)
        if any(one.name == service for one in has.services.values()):
            return
        if has.door is not None and has.door.route == service:
            has.door = replace(has.door, route=None)
        if has.door is not None and has.door.canary == service:
            has.door = replace(has.door, canary=None)


def _require_ready(has: MemoryChain, service: str, replicas: int) -> None:
    names = {replica_name(service, number) for number in range(1, replicas + 1)}
    assert names <= has.ready, f"traffic for {sorted(names - has.ready)}, which are not ready"


def _shown(has: MemoryChain, service: ObservedService) -> ObservedService:
    """One that runs but was never ready is as good as stopped."""
    is_unfinished = service.status is ServiceStatus.RUNNING and service.own_name not in has.ready
    return replace(service, status=ServiceStatus.STOPPED) if is_unfinished else service


def _runs(has: MemoryChain, service: str) -> bool:
    return service in has.services and has.services[service].status is ServiceStatus.RUNNING
