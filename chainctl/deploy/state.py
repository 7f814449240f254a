"""DesiredState (what a Release wants) and ObservedState (what a target has), the two sides of reconcile."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from chainctl.deploy.release import Fingerprint, FrontDoor, Release, ServiceSpec, replica_name


class ServiceStatus(enum.StrEnum):
    """What a target knows of a service without asking it.

    RUNNING is only what has been ready: a service that was started and never awaited is STOPPED, so
    that the next plan awaits it before it gets traffic.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ObservedService:
    """A replica of a service that exists on a target, running or not.

    `since` is seconds since the epoch, `secrets` the digest of the values that it was started with.
    `intercepted_by` says on whose machine it runs in truth, "" where it runs on the target.
    """

    name: str
    chainlet: str
    status: ServiceStatus
    fingerprint: Fingerprint
    image: str
    since: float = 0.0
    restarts: int = 0
    replica: int = 1
    secrets: str = ""
    intercepted_by: str = ""

    @property
    def own_name(self) -> str:
        """Return the name of the replica itself."""
        return replica_name(self.name, self.replica)


@dataclass(frozen=True, slots=True)
class ObservedDoor:
    """A front door that exists: its URL, the digest of the FrontDoor it was made from, its route.

    `route` is the service that gets the traffic, None when there is none. `status` is RUNNING
    only while it answers. `canary` is the service that gets a part of the traffic beside `route`.
    `replicas` is over how many replicas of `route` its traffic is spread, the first ones; 0 where it goes to others.
    """

    url: str
    digest: str
    route: str | None
    status: ServiceStatus = ServiceStatus.RUNNING
    canary: str | None = None
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the machines of a target have for all services; None where they do not tell, or do not bound it.

    `crowded` are chainlets that find no GPUs as long as their older services have theirs. `is_held_to` where a
    service gets what it asks for and no more: then nothing that asks for more than there is can run. `largest` is
    what the largest of several machines has: no replica is spread over two.
    """

    memory_bytes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    is_held_to: bool = False
    crowded: frozenset[str] = frozenset()
    largest: Capacity | None = None


@dataclass(frozen=True, slots=True)
class ObservedState:
    """All that a target has of one chain. `capacity` is looked at only where services are replaced.

    `rolls` says that the target itself replaces the replicas of a service that is changed under its name: one
    by one, each new one ready before an old one ends, and back by itself where that fails.
    """

    chain: str
    services: tuple[ObservedService, ...] = ()
    front_door: ObservedDoor | None = None
    has_network: bool = False
    capacity: Capacity = field(default=Capacity(), compare=False)
    rolls: bool = field(default=False, compare=False)

    def service(self, name: str) -> ObservedService | None:
        """Return the first replica that there is."""
        return min((s for s in self.services if s.name == name), key=lambda s: s.replica, default=None)

    def replica(self, name: str, number: int) -> ObservedService | None:
        return next((s for s in self.services if (s.name, s.replica) == (name, number)), None)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """All that a target should have of one chain; nothing at all when `entrypoint` is None.

    `warm` names services of older releases that go on running where they run; `previous` are the
    services of the release before, so that one that has to end first can be started again. `edited` names
    services that run other code than their images have. Where `generation` is not 0, the images of those have
    the code of that generation, and no call is to meet both.
    """

    chain: str
    services: tuple[ServiceSpec, ...] = ()
    entrypoint: str | None = None
    front_door: FrontDoor | None = None
    warm: frozenset[str] = frozenset()
    previous: tuple[ServiceSpec, ...] = ()
    edited: frozenset[str] = frozenset()
    generation: int = 0


def desired_state(release: Release) -> DesiredState:
    """Return what a target must have for a release to serve."""
    return DesiredState(release.chain, release.services, release.entrypoint, release.front_door)


def nothing(chain: str) -> DesiredState:
    """Return the state of a chain that was taken down."""
    return DesiredState(chain)
