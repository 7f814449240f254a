"""A chain's door and a service in; the traffic flipped to it, or drained from it, without a reload, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from chainctl.adapters.docker.doors import Door, Doors
from chainctl.adapters.docker.haproxy_control import (
    close,
    door_state,
    door_traffic,
    drain,
    flip,
    park,
    prepare,
    rename,
    reopen,
    split,
)
from chainctl.adapters.docker.haproxy_state import DoorState, Slot, choose_slot
from chainctl.adapters.docker.haproxy_traffic import joined
from chainctl.adapters.docker.replica_hosts import hosts_of
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.canary import Traffic
from chainctl.deploy.operations import SplitRoute
from chainctl.deploy.release import INTERCEPT_REPLICA, replica_name
from chainctl.errors import ChainctlError, DeployError

_REACHED_SEC = 10.0
_SILENT_SEC = 20.0
"""So long a door may be silent that is said to run: a swarm takes some 12 s to notice that a node is lost."""
_POLL_SEC = 0.2
_WEIGHTS = 256
Said = TypeVar("Said")


def route_to(doors: Doors, service: str, replicas: int = 1) -> None:
    """Give a chain's traffic to replicas that are ready, then write down the same for what starts later.

    Cut off anywhere, each door still serves, the old service or the new; until both the running
    doors and what is written down have the new one, observing shows no route, so that it is done again.
    Raises DeployError.
    """
    places = _places(doors, service, replicas)
    late = [
        (door, state) for door, state in _answers(doors, door_state) if not state.leads_to(service, replicas)
    ]
    _flip(late, places)
    doors.remember(service, replicas)
    for door, now in _answers(doors, door_state):
        state = now
        if not state.leads_to(service, replicas):  # it started meanwhile, with what was written before
            _flip([(door, state)], places)
            state = _state(door)
        park(door, *_blocking(doors, state))


def lead_to_stand_in(doors: Doors, service: str) -> None:
    """Give what stands in for a service traffic, of which the others step aside.

    Nothing is written down of it. Raises DeployError.
    """
    place = _place(doors, service, INTERCEPT_REPLICA, replica_name(service, INTERCEPT_REPLICA))
    for door, state in _answers(doors, door_state):
        chosen, _ = _reach(door, state, [place])
        flip(door, chosen, [])


def split_route(doors: Doors, operation: SplitRoute) -> None:
    """Give a service a part of the traffic that another has; a door that starts anew undoes it.

    Raises DeployError.
    """
    service, before = operation.service, operation.before
    places = _places(doors, service, operation.replicas)
    share = max(1, round(operation.percent * _WEIGHTS / 100))
    for door, state in _answers(doors, door_state):
        old = [slot.name for slot in state.slots if slot.is_serving and slot.service == before]
        if not old:
            raise DeployError(
                f"{before} has no traffic of which {service} could have a part", hint="push again"
            )
        with _unless_it_ended(door):
            chosen, _ = _reach(door, state, places)
            split(door, _shared(chosen, share) | _shared(old, _WEIGHTS - share))


def counted_traffic(doors: Doors) -> dict[str, Traffic]:
    """Return what a chain's doors counted of each service since its traffic was split. Raises DeployError."""
    found: dict[str, Traffic] = {}
    for _, traffic in _answers(doors, door_traffic):
        for service, one in traffic.items():
            found[service] = joined(found[service], one) if service in found else one
    return found


def drain_service(doors: Doors, service: str, within_sec: float, replica: int = 1) -> None:
    """Take a replica from the door and wait until the requests that it has are answered, or time is up."""
    there = [(door, slot) for door in doors.running() if (slot := _slot_of(door, service, replica))]
    for door, slot in there:
        drain(door, slot.name)

    def are_idle() -> bool | None:
        now = [_slot_of(door, service, replica) for door, _ in there]
        return None if any(slot and slot.streams for slot in now) else True

    if there:
        first_answer(are_idle, within_sec, longest_pause_sec=_POLL_SEC)
    for door, slot in there:
        park(door, slot.name)


@contextmanager
def closed(doors: Doors, within_sec: float) -> Iterator[None]:
    """Take no more requests anywhere, and wait until those under way are answered, or time is up.

    What fails within, or is interrupted, opens the doors again.
    """
    there = doors.running()
    try:
        for door in there:
            close(door)
        _await_idle(there, within_sec)
        yield
    except BaseException:
        with suppress(ChainctlError):
            open_doors(doors)
        raise


def open_doors(doors: Doors) -> None:
    """Take requests at all doors, also where somebody was cut off who had closed them."""
    for door in doors.running():
        reopen(door)


def _await_idle(doors: Sequence[Door], within_sec: float) -> None:
    def are_idle() -> bool | None:
        states = [door_state(door) for door in doors]
        return None if any(slot.streams for state in states if state for slot in state.slots) else True

    first_answer(are_idle, within_sec, longest_pause_sec=_POLL_SEC)


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


def _places(doors: Doors, service: str, replicas: int) -> list[_Place]:
    hosts = hosts_of(service, replicas, is_shared=doors.places.is_shared)
    return [_place(doors, service, number, host) for number, host in enumerate(hosts, 1)]


def _place(doors: Doors, service: str, number: int, host: str) -> _Place:
    addresses = doors.places.addresses(doors.connection, doors.chain, service, number)
    if not addresses:
        name = replica_name(service, number)
        raise DeployError(f"{name} does not run, so it gets no traffic", hint="push again")
    return _Place(service, number, host, addresses)


def _shared(slots: Sequence[str], weight: int) -> dict[str, int]:
    """Share out a weight among replicas; each has one of 1 at least."""
    return {slot: max(1, round(weight / len(slots))) for slot in slots}


def _flip(doors: Sequence[tuple[Door, DoorState]], places: Sequence[_Place]) -> None:
    """Flip doors one right after another, once all of them reach all places.

    Replicas that have traffic already, of a split or a smaller scale, do not prove themselves again.
    """
    reached: list[tuple[Door, list[str], DoorState]] = []
    for door, state in doors:
        with _unless_it_ended(door):
            reached.append((door, *_reach(door, state, places)))
    for door, chosen, now in reached:
        with _unless_it_ended(door):
            flip(door, chosen, [s.name for s in now.slots if s.is_serving and s.name not in chosen])


@contextmanager
def _unless_it_ended(door: Door) -> Iterator[None]:
    """What fails because a door is gone, with its node maybe, is no failure: others serve, or what starts next."""
    try:
        yield
    except DeployError:
        if door.is_running():
            raise


def _reach(door: Door, state: DoorState, places: Sequence[_Place]) -> tuple[list[str], DoorState]:
    """Have a slot lead to each place and be found healthy, without traffic unless it has some."""
    chosen: dict[_Place, str] = {}
    taken: set[str] = set()
    for place in places:
        mine = state.slot_of(place.service, place.replica)
        if mine is not None and _is_reached(mine, place) and mine.address not in taken:
            chosen[place] = mine.name
            taken.add(mine.address)
            if mine.host != place.host:
                rename(door, mine.name, place.host)
    for place in [place for place in places if place not in chosen]:
        address = next((one for one in place.addresses if f"{one}:{SERVICE_PORT}" not in taken), "")
        address = address or place.addresses[0]
        taken.add(f"{address}:{SERVICE_PORT}")
        chosen[place] = choose_slot(state, place.service, place.replica, chosen.values()).name
        prepare(door, chosen[place], place.host, address)
    now = _reached(door, chosen)
    return [chosen[place] for place in places], now


def _reached(door: Door, chosen: Mapping[_Place, str]) -> DoorState:
    """Wait until all slots are resolved and healthy. Raises DeployError."""
    late: list[_Place] = []

    def all_reached() -> DoorState | None:
        now = _state(door)
        late[:] = [place for place, name in chosen.items() if not _is_prepared(now, name, place)]
        return None if late else now

    now = first_answer(all_reached, _REACHED_SEC, longest_pause_sec=_POLL_SEC)
    if now is not None:
        return now
    park(door, *(chosen[place] for place in late))
    raise DeployError(
        f"The front door {door.name} does not reach {late[0].host} at {', '.join(late[0].ends)}",
        hint="check that the engine lets the chain's containers talk, then push again",
    )


def _is_reached(slot: Slot, place: _Place) -> bool:
    """Say whether it is resolved and healthy: with traffic `UP`, in drain `DRAIN`, both without a count of checks."""
    status = "UP" if slot.is_serving else "DRAIN"
    return slot.address in place.ends and slot.status == status


def _is_prepared(state: DoorState, chosen: str, place: _Place) -> bool:
    slot = state.slot_of(place.service, place.replica)
    return slot is not None and slot.name == chosen and _is_reached(slot, place)


def _blocking(doors: Doors, state: DoorState) -> list[str]:
    """Return slots that only block: nothing under way, and their service is gone.

    One that still runs is stopped soon, which frees its slot; or it is kept warm, and then a slot that is
    resolved and checked makes the flip back to it one command.
    """
    idle = [s for s in state.slots if not (s.is_serving or s.is_free or s.streams)]
    find = doors.places.addresses
    return [
        slot.name
        for slot in idle
        if slot.service is None or not find(doors.connection, doors.chain, slot.service, slot.replica)
    ]


def _slot_of(door: Door, service: str, replica: int) -> Slot | None:
    state = _patiently(door, door_state)
    return state.slot_of(service, replica) if state else None


def _answers(doors: Doors, ask: Callable[[Door], Said | None]) -> list[tuple[Door, Said]]:
    """Ask all doors; one that ended meanwhile is left out, unless it was the last. Raises DeployError."""
    there = doors.running()
    if not there:
        raise DeployError(f"The front door of {doors.chain} is not running", hint="push again")
    found = []
    for door in there:
        said = _patiently(door, ask)
        if said is not None:
            found.append((door, said))
        elif door.is_running():
            raise _silent(door)
    if not found:
        raise _silent(there[0])
    return found


def _patiently(door: Door, ask: Callable[[Door], Said | None]) -> Said | None:
    """Return what a door answers; None when it is gone, or silent for long.

    A busy engine may lose what a command in a container wrote: one lost answer is no dead door.
    """

    def answer() -> tuple[Said | None] | None:
        said = ask(door)
        if said is not None:
            return (said,)
        return None if door.is_running() else (None,)

    said = first_answer(answer, _SILENT_SEC, longest_pause_sec=_POLL_SEC)
    return said[0] if said else None


def _state(door: Door) -> DoorState:
    state = _patiently(door, door_state)
    if state is None:
        raise _silent(door)
    return state


def _silent(door: Door) -> DeployError:
    return DeployError(f"The front door {door.name} does not answer", hint=f"see `{door.logs}`, push again")
