"""What a supervisor knows, or last knew, in; the ObservedState of its chain out."""

from __future__ import annotations

from chainctl.adapters.local.memory import RememberedDoor, RememberedService, RunMemory
from chainctl.deploy.release import replica_of
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState, ServiceStatus


def observed(chain: str, memory: RunMemory | None, *, is_supervised: bool) -> ObservedState:
    """Return what a target has; without a supervisor nothing of it runs."""
    if memory is None:
        return ObservedState(chain)
    return ObservedState(
        chain=chain,
        services=tuple(_service(s, is_supervised=is_supervised) for s in memory.services),
        front_door=_door(memory.door, is_supervised=is_supervised),
        has_network=True,
    )


def _service(service: RememberedService, *, is_supervised: bool) -> ObservedService:
    name, replica = replica_of(service.name)
    return ObservedService(
        name=name,
        chainlet=service.chainlet,
        status=service.status if is_supervised else ServiceStatus.STOPPED,
        fingerprint=service.fingerprint,
        image=service.image,
        since=service.since,
        restarts=service.restarts,
        replica=replica,
        secrets=service.secrets_digest,
        intercepted_by=service.intercepted_by,
    )


def _door(door: RememberedDoor | None, *, is_supervised: bool) -> ObservedDoor | None:
    if door is None:
        return None
    status = ServiceStatus.RUNNING if is_supervised else ServiceStatus.STOPPED
    canary = door.canary if is_supervised else None
    replicas = door.replicas if is_supervised else 1  # a new supervisor restores the first one only
    return ObservedDoor(door.url, door.digest, door.route, status, canary, replicas)
