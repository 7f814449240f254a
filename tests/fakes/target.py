"""Operations in, chains changed in memory out: a DeployTarget that keeps its invariants loudly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from chainctl.deploy.canary import Traffic
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
)
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import Capacity, ObservedDoor, ObservedService, ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit

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

    A service in `never_ready` (by chainlet) fails when it is awaited. Raises AssertionError for an
    order that would hurt on a real target: a service without its network or its callees, traffic for
    what is not ready, a network taken from under its services.
    """

    def __init__(self, *, fails: Failure = never, never_ready: Iterable[str] = ()) -> None:
        self.applied: list[Operation] = []
        self.fails = fails
        self.never_ready = set(never_ready)
        self.answers: dict[tuple[str, str], bytes] = {}
        self.has = Capacity()
        self.counted: list[Mapping[str, Traffic]] = [{}]
        self._chains: dict[str, MemoryChain] = {}
        self._now = 0.0

    @property
    def name(self) -> str:
        return "memory"

    def observe(self, chain: str) -> ObservedState:
        has = self._chains.get(chain, MemoryChain())
        services = tuple(_shown(has, has.services[name]) for name in sorted(has.services))
        return ObservedState(chain, services, has.door, has.has_network)

    def chains(self) -> list[str]:
        return sorted(self._chains)

    def specs(self, chain: str) -> dict[str, ServiceSpec]:
        """What each service was started from."""
        return dict(self._chains.get(chain, MemoryChain()).specs)

    def apply(self, operation: Operation, emit: Emit) -> None:
        self.applied.append(operation)
        error = self.fails(operation)
        if error is not None:
            raise error
        match operation:
            case EnsureNetwork(chain=chain):
                self._chain(chain).has_network = True
            case StartService(service=spec):
                self._start(self._chain(spec.chain), spec)
            case AwaitReady(service=spec):
                self._await(self._chain(spec.chain), spec)
            case EnsureFrontDoor(chain=chain, front_door=door):
                has = self._chain(chain)
                route = has.door.route if has.door else None
                has.door = ObservedDoor(f"http://{door.bind}:{door.port or 8080}", door.digest, route)
            case Route(chain=chain, service=service):
                self._route(self._chain(chain), service)
            case SplitRoute(chain=chain, service=service, before=before):
                self._split(self._chain(chain), service, before)
            case StopService(chain=chain, service=service):
                self._stop(self._chain(chain), service)
            case RemoveFrontDoor(chain=chain):
                self._chain(chain).door = None
            case RemoveNetwork(chain=chain):
                assert not self._chain(chain).services, "the network still has services"
                self._chains.pop(chain)
            case _:
                assert_never(operation)

    def capacity(self) -> Capacity:
        return self.has

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        """Return the next of `counted`; the last one again and again."""
        return self.counted.pop(0) if len(self.counted) > 1 else self.counted[0]

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Answer from `answers`; a path of no entry there is answered with itself, but /-/missing."""
        has = self._chains.get(chain, MemoryChain())
        if not _runs(has, service):
            raise DeployError(f"The service {service} is not running")
        if path == "/-/missing":
            raise DeployError(f"{service} did not answer GET {path}")
        answer = self.answers.get((service, path))
        return json.dumps({"service": service, "path": path}).encode() if answer is None else answer

    def reboot(self, chain: str) -> None:
        """Stop everything of a chain, as the end of its machine would."""
        has = self._chain(chain)
        has.services = {n: replace(s, status=ServiceStatus.STOPPED) for n, s in has.services.items()}
        has.door = replace(has.door, status=ServiceStatus.STOPPED) if has.door else None
        has.ready.clear()

    def put(self, state: ObservedState) -> None:
        """Make a chain what was observed somewhere; what runs is taken for ready."""
        running = {s.name for s in state.services if s.status is ServiceStatus.RUNNING}
        services = {service.name: service for service in state.services}
        self._chains[state.chain] = MemoryChain(services, {}, running, state.front_door, state.has_network)

    def _chain(self, chain: str) -> MemoryChain:
        return self._chains.setdefault(chain, MemoryChain())

    def _start(self, has: MemoryChain, spec: ServiceSpec) -> None:
        assert has.has_network, f"{spec.name} starts without a network"
        there = has.services.get(spec.name)
        if there is not None and there.status is ServiceStatus.RUNNING:
            return
        missing = [c.service for c in spec.calls if not _runs(has, c.service)]
        assert not missing, f"{spec.name} starts before what it calls: {missing}"
        self._now += 1
        has.services[spec.name] = ObservedService(
            spec.name, spec.chainlet, ServiceStatus.RUNNING, spec.fingerprint, spec.image, self._now
        )
        has.specs[spec.name] = spec
        has.ready.discard(spec.name)

    def _await(self, has: MemoryChain, spec: ServiceSpec) -> None:
        there = has.services[spec.name]
        if spec.chainlet in self.never_ready:
            has.services[spec.name] = replace(there, status=ServiceStatus.FAILED)
            raise DeployError(f"{spec.chainlet} did not become ready", details=["its last words"])
        has.ready.add(spec.name)

    def _route(self, has: MemoryChain, service: str) -> None:
        assert has.door is not None, "there is no door to route"
        assert service in has.ready, f"traffic for {service}, which is not ready"
        has.door = replace(has.door, route=service, canary=None)

    def _split(self, has: MemoryChain, service: str, before: str) -> None:
        assert has.door is not None, "there is no door to split"
        assert has.door.route == before, f"{before} has no traffic to split"
        assert service in has.ready, f"traffic for {service}, which is not ready"
        has.door = replace(has.door, canary=service)

    def _stop(self, has: MemoryChain, service: str) -> None:
        has.services.pop(service, None)
        has.specs.pop(service, None)
        has.ready.discard(service)
        if has.door is not None and has.door.route == service:
            has.door = replace(has.door, route=None)
        if has.door is not None and has.door.canary == service:
            has.door = replace(has.door, canary=None)


def _shown(has: MemoryChain, service: ObservedService) -> ObservedService:
    """One that runs but was never ready is as good as stopped."""
    is_unfinished = service.status is ServiceStatus.RUNNING and service.name not in has.ready
    return replace(service, status=ServiceStatus.STOPPED) if is_unfinished else service


def _runs(has: MemoryChain, service: str) -> bool:
    return service in has.services and has.services[service].status is ServiceStatus.RUNNING
