"""A door's container, its files and what it says in; the ObservedDoor out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chainctl.adapters.docker.front_door_body import SCHEME
from chainctl.adapters.docker.haproxy_config import digest_in
from chainctl.adapters.docker.haproxy_route import replicas_in, route_in
from chainctl.adapters.docker.haproxy_state import DoorState
from chainctl.adapters.docker.observe_container import Container
from chainctl.deploy.state import ObservedDoor, ServiceStatus


def observed_door(
    container: Container, host: str, files: Mapping[str, bytes], state: DoorState | None
) -> ObservedDoor:
    """Return a door as it runs and as it would restart.

    Where the two differ a change was cut off: then there is no digest, or no route, and whatever
    is wanted is applied again.
    """
    port = container.published[1] if container.published else 0
    digest, route = digest_in(files), route_in(files)
    replicas, canary = replicas_in(files), None
    if state is not None:
        digest = digest if digest == state.digest else ""
        canary = _canary(route, state.split)
        replicas = state.serving.get(route or "", replicas)
        is_so = state.leads_to(route, replicas_in(files))
        route = route if is_so or canary else None
    return ObservedDoor(
        url=f"{container.labels.get(SCHEME, 'http')}://{host}:{port}",
        digest=digest,
        route=route,
        status=_status(container, state),
        canary=canary,
        replicas=replicas,
    )


def _canary(route: str | None, sharers: tuple[str, ...]) -> str | None:
    """Return who shares the traffic with the service that is written down, None where it has all."""
    others = sorted(set(sharers) - {route})
    return others[0] if route in sharers and others else None


def _status(container: Container, state: DoorState | None) -> ServiceStatus:
    if container.is_running and state is None:
        return ServiceStatus.FAILED
    return container.status
