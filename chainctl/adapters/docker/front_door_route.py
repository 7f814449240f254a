"""A chain's door and a service in; the traffic flipped to it, or drained from it, without a reload, out."""

from __future__ import annotations

from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.haproxy_config import DIRECTORY
from chainctl.adapters.docker.haproxy_control import door_state, drain, flip, park, prepare
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.haproxy_state import DoorState, Slot, choose_slot
from chainctl.adapters.docker.labels import door_name, network_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find, find_own
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.deploy.release import SERVICE_PORT
from chainctl.errors import DeployError

_REACHED_SEC = 10.0
_POLL_SEC = 0.2
_MODE = 0o400


def route_to(connection: Connection, chain: str, service: str) -> None:
    """Give a chain's traffic to a service that is ready, then write down the same for restarts.

    Cut off anywhere, the door still serves, the old service or the new; until both the running
    door and its file have the new one, observing shows no route, so that it is done again.
    Raises DeployError.
    """
    door = door_name(chain)
    address = _address(connection, chain, service)
    state = _state(connection, door)
    if state.route != service:
        _flip(connection, door, state, service, address)
    files = [OwnedFile(ROUTE_FILE, _MODE, USER_ID, route_text(service).encode())]
    put_files(connection, door, str(DIRECTORY), files)
    park(connection, door, *_idle(_state(connection, door)))


def drain_service(connection: Connection, chain: str, service: str, within_sec: float) -> None:
    """Take a service from the door and wait until the requests that it has are answered, or time is up."""
    door = door_name(chain)
    slot = _slot_of(connection, door, service)
    if slot is None:
        return
    drain(connection, door, slot.name)

    def is_idle() -> bool | None:
        now = _slot_of(connection, door, service)
        return True if now is None or now.streams == 0 else None

    first_answer(is_idle, within_sec, longest_pause_sec=_POLL_SEC)
    park(connection, door, slot.name)


def _flip(connection: Connection, door: str, state: DoorState, service: str, address: str) -> None:
    chosen = choose_slot(state, service).name
    prepare(connection, door, chosen, service, address)

    def reached() -> DoorState | None:
        now = _state(connection, door)
        return now if _is_prepared(now, chosen, service, address) else None

    now = first_answer(reached, _REACHED_SEC, longest_pause_sec=_POLL_SEC)
    if now is None:
        park(connection, door, chosen)
        raise DeployError(
            f"The front door does not reach {service} at {address}:{SERVICE_PORT}",
            hint="check that the engine lets the chain's containers talk, then push again",
        )
    flip(connection, door, chosen, [s.name for s in now.slots if s.is_serving and s.name != chosen])


def _is_prepared(state: DoorState, chosen: str, service: str, address: str) -> bool:
    """In drain, resolved and found healthy: `DRAIN` without a count of checks."""
    slot = state.slot_of(service)
    wanted = (chosen, f"{address}:{SERVICE_PORT}", "DRAIN")
    return slot is not None and (slot.name, slot.address, slot.status) == wanted


def _idle(state: DoorState) -> list[str]:
    """Return slots that only block: without traffic, and nothing under way."""
    return [s.name for s in state.slots if not (s.is_serving or s.is_free or s.streams)]


def _slot_of(connection: Connection, door: str, service: str) -> Slot | None:
    state = _patient_state(connection, door)
    return state.slot_of(service) if state else None


def _patient_state(connection: Connection, door: str) -> DoorState | None:
    """Return what a door is doing; None when it is gone, or silent for long.

    A busy engine may lose what a command in a container wrote: one lost answer is no dead door.
    """

    def answer() -> tuple[DoorState | None] | None:
        state = door_state(connection, door)
        if state is not None:
            return (state,)
        container = find(connection, door)
        return None if container is not None and container.is_running else (None,)

    said = first_answer(answer, _REACHED_SEC, longest_pause_sec=_POLL_SEC)
    return said[0] if said else None


def _state(connection: Connection, door: str) -> DoorState:
    state = _patient_state(connection, door)
    if state is None:
        raise DeployError(
            f"The front door {door} does not answer", hint=f"see `docker logs {door}`, push again"
        )
    return state


def _address(connection: Connection, chain: str, service: str) -> str:
    container = find_own(connection, service, chain)
    address = container.addresses.get(network_name(chain)) if container and container.is_running else None
    if not address:
        raise DeployError(f"{service} does not run, so it gets no traffic", hint="push again")
    return address
