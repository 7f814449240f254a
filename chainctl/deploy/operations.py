"""The operations that a DeployPlan is made of: one frozen class each, every one with its cause."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.deploy.devices import Device
from chainctl.deploy.release import FrontDoor, ServiceSpec


@dataclass(frozen=True, slots=True)
class EnsureNetwork:
    """Make the chain's private network."""

    chain: str
    cause: str


@dataclass(frozen=True, slots=True)
class StartService:
    """Start a replica of a service from its image, replacing a stopped one of the same name.

    `devices` are its GPUs; where there are none, and it asks for some, the target chooses. With `renews`
    the service runs, with other values: the target replaces all its replicas by itself, while it serves.
    """

    service: ServiceSpec
    cause: str
    replaces: str | None = None
    replica: int = 1
    devices: tuple[Device, ...] = ()
    renews: bool = False


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """Wait until a started replica says that it is ready."""

    service: ServiceSpec
    cause: str
    replica: int = 1


@dataclass(frozen=True, slots=True)
class EnsureFrontDoor:
    """Make the front door; with `replaces`, change the one there is."""

    chain: str
    front_door: FrontDoor
    cause: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Flip the front door to the first `replicas` of a service; requests under way finish where they began.

    `before` had the traffic, with so many replicas; it may be the same service.
    """

    chain: str
    service: str
    cause: str
    before: str | None = None
    replicas: int = 1
    before_replicas: int = 1


@dataclass(frozen=True, slots=True)
class SplitRoute:
    """Give a new service a part of the traffic of the one that has it; each request goes to one of them.

    `percent` is the part, 1 to 99. What the door counts of the two begins anew with it.
    """

    chain: str
    service: str
    before: str
    percent: int
    cause: str
    replicas: int = 1
    before_replicas: int = 1


@dataclass(frozen=True, slots=True)
class PassGates:
    """Let the new release pass its gates, by name, before it gets traffic; a target does nothing for that."""

    chain: str
    service: str
    gates: tuple[str, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class TurnCallers:
    """Have calls from a generation of the chain's code on go to what stands in for services, all others to
    what it stands in for; go on when there are no others any more. A target does nothing for that.
    """

    chain: str
    generation: int
    services: tuple[str, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class StopService:
    """Drain a replica of a service (SIGTERM, its requests finish), then remove it.

    `restores` is what it is started from again when the plan fails: for one that ends before the flip.
    `devices` are the GPUs that it gets back then.
    With `has_others` other replicas go on: callers are given time to turn to them.
    """

    chain: str
    service: str
    chainlet: str
    cause: str
    restores: ServiceSpec | None = None
    replica: int = 1
    has_others: bool = False
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveFrontDoor:
    """Take the chain's address away."""

    chain: str
    cause: str


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove the chain's private network, last of all."""

    chain: str
    cause: str


Operation = (
    EnsureNetwork
    | StartService
    | AwaitReady
    | EnsureFrontDoor
    | Route
    | SplitRoute
    | StopService
    | RemoveFrontDoor
    | RemoveNetwork
    | PassGates
    | TurnCallers
)
