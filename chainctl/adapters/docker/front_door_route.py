"""A chain's door and a service in; the traffic flipped to it, or drained from it, without a reload, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.haproxy_config import DIRECTORY
from chainctl.adapters.docker.haproxy_control import (
    door_state,
    door_traffic,
    drain,
    flip,
    park,
    prepare,
    rename,
    split,
)
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.haproxy_state import DoorState, Slot, choose_slot
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.replica_hosts import hosts_of
from chainctl.adapters.docker.replica_places import CONTAINERS, ReplicaPlaces
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.canary import Traffic
from chainctl.deploy.operations import SplitRoute
from chainctl.deploy.release import INTERCEPT_REPLICA, replica_name
from chainctl.errors import DeployError

_REACHED_SEC = 10.0
_ANSWER_SEC = 5.0
_POLL_SEC = 0.2
_MODE = 0o400
_WEIGHTS = 256


def route_to(
    connection: Connection, chain: str, service: str, replicas: int = 1, at: ReplicaPlaces = CONTAINERS
) -> None:
    """Give a chain's traffic to replicas that are ready, then write down the same for restarts.

    Cut off anywhere, the door still serves, the old service or the new; until both the running
    door and its file have the new one, observing shows no route, so that it is done again.
    Raises DeployError.
    """
    door = door_name(chain)
    places = _places(connection, chain, hosts_of(service, replicas, is_shared=at.is_shared), service, at)
    state = _state(connection, door)
    if not state.leads_to(service, replicas):
        _flip(connection, door, state, places)
    files = [
        OwnedFile(ROUTE_FILE, _MODE, USER_ID, route_text(service, replicas, is_shared=at.is_shared).encode())
    ]
    put_files(connection, door, str(DIRECTORY), files)
    park(connection, door, *_blocking(connection, chain, _state(connection, door), at))


def lead_to_stand_in(connection: Connection, chain: str, service: str) -> None:
    """Give what stands in for a service traffic, of which the others step aside; the file stays. Raises DeployError."""
    door, name = door_name(chain), replica_name(service, INTERCEPT_REPLICA)
    place = _place(connection, chain, service, INTERCEPT_REPLICA, name, CONTAINERS)
    chosen, _ = _reach(connection, door, _state(connection, door), [place])
    flip(connection, door, chosen, [])


def split_route(connection: Connection, operation: SplitRoute, at: ReplicaPlaces = CONTAINERS) -> None:
    """Give a service a part of the traffic that another has; the file stays, so a restarted door undoes it.

    Raises DeployError.
    """
    chain, service, before = operation.chain, operation.service, operation.before
    door = door_name(chain)
    hosts = hosts_of(service, operation.replicas, is_shared=at.is_shared)
    places = _places(connection, chain, hosts, service, at)
    state = _state(connection, door)
    old = [slot.name for slot in state.slots if slot.is_serving and slot.service == before]
    if not old:
        raise DeployError(f"{before} has no traffic of which {service} could have a part", hint="push again")
    chosen, _ = _reach(connection, door, state, places)
    share = max(1, round(operation.percent * _WEIGHTS / 100))
    split(connection, door, _shared(chosen, share) | _shared(old, _WEIGHTS - share))


def counted_traffic(connection: Connection, chain: str) -> dict[str, Traffic]:
    """Return what a chain's door counted of each service since its traffic was split. Raises DeployError."""
    door = door_name(chain)
    traffic = first_answer(lambda: door_traffic(connection, door), _ANSWER_SEC, longest_pause_sec=_POLL_SEC)
    if traffic is None:
        raise _silent(door)
    return traffic


def drain_service(
    connection: Connection, chain: str, service: str, within_sec: float, replica: int = 1
) -> None:
    """Take a replica from the door and wait until the requests that it has are answered, or time is up."""
    door = door_name(chain)
    slot = _slot_of(connection, door, service, replica)
    if slot is None:
        return
    drain(connection, door, slot.name)

    def is_idle() -> bool | None:
        now = _slot_of(connection, door, service, replica)
        return True if now is None or now.streams == 0 else None

    first_answer(is_idle, within_sec, longest_pause_sec=_POLL_SEC)
    park(connection, door, slot.name)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a replica is: the host that the door resolves, and the addresses of which it has one now."""

    service: str
    replica: int
    host: str
    addresses: tuple[str, ...]

    @property
    def ends(self) -> list[str]:
        return [f"{address}:{SERVICE_PORT}" for address in self.addresses]


def _places(
    connection: Connection, chain: str, hosts: Sequence[str], service: str, at: ReplicaPlaces
) -> list[_Place]:
    return [_place(connection, chain, service, number, host, at) for number, host in enumerate(hosts, 1)]


def _place(
    connection: Connection, chain: str, service: str, number: int, host: str, at: ReplicaPlaces
) -> _Place:
    addresses = at.addresses(connection, chain, service, number)
    if not addresses:
        name = replica_name(service, number)
        raise DeployError(f"{name} does not run, so it gets no traffic", hint="push again")
    return _Place(service, number, host, addresses)


def _shared(slots: Sequence[str], weight: int) -> dict[str, int]:
    """Share out a weight among replicas; each has one of 1 at least."""
    return {slot: max(1, round(weight / len(slots))) for slot in slots}


def _flip(connection: Connection, door: str, state: DoorState, places: Sequence[_Place]) -> None:
    """Replicas that have traffic already, of a split or a smaller scale, do not prove themselves again."""
    chosen, now = _reach(connection, door, state, places)
    flip(connection, door, chosen, [s.name for s in now.slots if s.is_serving and s.name not in chosen])


def _reach(
    connection: Connection, door: str, state: DoorState, places: Sequence[_Place]
) -> tuple[list[str], DoorState]:
    """Have a slot lead to each place and be found healthy, without traffic unless it has some."""
    chosen: dict[_Place, str] = {}
    taken: set[str] = set()
    for place in places:
        mine = state.slot_of(place.service, place.replica)
        if mine is not None and _is_reached(mine, place) and mine.address not in taken:
            chosen[place] = mine.name
            taken.add(mine.address)
            if mine.host != place.host:
                rename(connection, door, mine.name, place.host)
    for place in [place for place in places if place not in chosen]:
        address = next((one for one in place.addresses if f"{one}:{SERVICE_PORT}" not in taken), "")
        address = address or place.addresses[0]
        taken.add(f"{address}:{SERVICE_PORT}")
        chosen[place] = choose_slot(state, place.service, place.replica, chosen.values()).name
        prepare(connection, door, chosen[place], place.host, address)
    now = _reached(connection, door, chosen)
    return [chosen[place] for place in places], now


def _reached(connection: Connection, door: str, chosen: Mapping[_Place, str]) -> DoorState:
    """Wait until all slots are resolved and healthy. Raises DeployError."""
    late: list[_Place] = []

    def all_reached() -> DoorState | None:
        now = _state(connection, door)
        late[:] = [place for place, name in chosen.items() if not _is_prepared(now, name, place)]
        return None if late else now

    now = first_answer(all_reached, _REACHED_SEC, longest_pause_sec=_POLL_SEC)
    if now is not None:
        return now
    park(connection, door, *(chosen[place] for place in late))
    raise DeployError(
        f"The front door does not reach {late[0].host} at {', '.join(late[0].ends)}",
        hint="check that the engine lets the chain's containers talk, then push again",
    )


def _is_reached(slot: Slot, place: _Place) -> bool:
    """Say whether it is resolved and healthy: with traffic `UP`, in drain `DRAIN`, both without a count of checks."""
    status = "UP" if slot.is_serving else "DRAIN"
    return slot.address in place.ends and slot.status == status


def _is_prepared(state: DoorState, chosen: str, place: _Place) -> bool:
    slot = state.slot_of(place.service, place.replica)
    return slot is not None and slot.name == chosen and _is_reached(slot, place)


def _blocking(connection: Connection, chain: str, state: DoorState, at: ReplicaPlaces) -> list[str]:
    """Return slots that only block: nothing under way, and their service is gone.

    One that still runs is stopped soon, which frees its slot; or it is kept warm, and then a slot that is
    resolved and checked makes the flip back to it one command.
    """
    idle = [s for s in state.slots if not (s.is_serving or s.is_free or s.streams)]
    return [
        slot.name
        for slot in idle
        if slot.service is None or not at.addresses(connection, chain, slot.service, slot.replica)
    ]


def _slot_of(connection: Connection, door: str, service: str, replica: int) -> Slot | None:
    state = _patient_state(connection, door)
    return state.slot_of(service, replica) if state else None


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
        raise _silent(door)
    return state


def _silent(door: str) -> DeployError:
    return DeployError(f"The front door {door} does not answer", hint=f"see `docker logs {door}`, push again")
