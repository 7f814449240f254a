"""What is written down of a door and what it says in; the ObservedDoor out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainctl.adapters.docker.front_door_body import SCHEME
from chainctl.adapters.docker.haproxy_config import digest_in
from chainctl.adapters.docker.haproxy_route import replicas_in, route_in
from chainctl.adapters.docker.haproxy_state import DoorState
from chainctl.adapters.docker.observe_container import Container
from chainctl.deploy.state import ObservedDoor, ServiceStatus


@dataclass(frozen=True, slots=True)
class WrittenDoor:
    """What a door would start with: the digest of its settings, and its route over so many replicas."""

    digest: str
    route: str | None
    replicas: int


def observed_door(
    container: Container, host: str, files: Mapping[str, bytes], state: DoorState | None
) -> ObservedDoor:
    """Return a door that is one container, as it runs and as it would restart."""
    port = container.published[1] if container.published else 0
    url = f"{container.labels.get(SCHEME, 'http')}://{host}:{port}"
    written = WrittenDoor(digest_in(files), route_in(files), replicas_in(files))
    return compared(written, [state] if state else [], url, _status(container, state))


def compared(
    written: WrittenDoor, states: Sequence[DoorState], url: str, status: ServiceStatus
) -> ObservedDoor:
    """Return a door of which all this runs, and would start again as it is written down.

    Where the two differ a change was cut off: then there is no digest, or no route, and whatever
    is wanted is applied again.
    """
    digest, route, replicas = written.digest, written.route, written.replicas
    canary = next((one for state in states if (one := _canary(route, state.split))), None)
    if any(state.digest != digest or not state.is_open for state in states):
        digest = ""
    if states:
        replicas = min(state.serving.get(route or "", replicas) for state in states)
    if not canary and not all(state.leads_to(route, written.replicas) for state in states):
        route = None
    return ObservedDoor(url, digest, route, status, canary, replicas)


def _canary(route: str | None, sharers: tuple[str, ...]) -> str | None:
    """Return who shares the traffic with the service that is written down, None where it has all."""
    others = sorted(set(sharers) - {route})
    return others[0] if route in sharers and others else None


def _status(container: Container, state: DoorState | None) -> ServiceStatus:
    if container.is_running and state is None:
        return ServiceStatus.FAILED
    return container.status
