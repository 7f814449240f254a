"""HAProxy's own tables, as recorded: who has the traffic, who drains, which slot is free."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.haproxy_state import DoorState, Slot, choose_slot, parse_state
from chainctl.errors import DeployError

DATA = Path(__file__).parent / "data"
NEW, OLD = "tchain-hello-22222222", "tchain-hello-11111111"


def recorded(name: str) -> DoorState:
    state = parse_state((DATA / f"haproxy_{name}.txt").read_text())
    assert state is not None
    return state


def slot(name: str, service: str | None, admin: int, streams: int = 0) -> Slot:
    return Slot(name, service, "10.0.0.2:8000", "", streams, admin)


def test_a_route_is_seen() -> None:
    """The one slot that serves, with its address and what HAProxy calls it."""
    state = recorded("routed")
    assert state.digest == "0123456789abcdef"
    assert (state.route, len(state.slots)) == (OLD, 16)
    first = state.slots[0]
    assert (first.name, first.service, first.status, first.is_serving) == ("s1", OLD, "UP", True)
    assert [s.name for s in state.slots if s.is_free] == [f"s{n}" for n in range(2, 17)]


def test_a_prepared_slot_has_no_traffic() -> None:
    """In drain it is resolved and checked, but it is neither the route nor free."""
    state = recorded("prepared")
    prepared = state.slot_of(NEW)
    assert prepared is not None
    assert (prepared.name, prepared.status) == ("s2", "DRAIN")
    assert (prepared.is_serving, prepared.is_free, state.route) == (False, False, OLD)


def test_a_draining_slot_counts_its_streams() -> None:
    """After the flip the old slot still has the request that it began."""
    state = recorded("draining")
    old = state.slot_of(OLD)
    assert old is not None
    assert (state.route, old.streams, old.is_serving) == (NEW, 1, False)


def test_a_parked_slot_is_nobodys() -> None:
    """It resolves the door's own name, which is no service."""
    state = recorded("parked")
    assert (state.route, state.slots[0].service, state.slots[0].is_free) == (NEW, None, True)


def test_a_service_that_can_not_be_resolved_keeps_its_route() -> None:
    """While it restarts it has no address, yet it is who the traffic is meant for."""
    state = recorded("unresolved")
    assert (state.route, state.slots[0].address) == (OLD, "")
    assert state.slots[0].status == "MAINT (resolution)"


@pytest.mark.parametrize("text", ["", "no answer: container is not running", "bash: not found\n"])
def test_what_is_not_haproxys_is_no_state(text: str) -> None:
    """A door that is down answers with something else."""
    assert parse_state(text) is None


def test_two_routes_are_none() -> None:
    """A flip that was cut off between its two halves has to be done again."""
    assert DoorState("d", (slot("s1", OLD, 0), slot("s2", NEW, 0))).route is None


def test_a_slot_is_chosen() -> None:
    """The one that has the service already, else the first that is free."""
    state = DoorState("d", (slot("s1", OLD, 0), slot("s2", None, 5), slot("s3", NEW, 8)))
    assert choose_slot(state, NEW).name == "s3"
    assert choose_slot(state, "another").name == "s2"


def test_no_slot_is_left() -> None:
    """When all still have requests under way, a flip has to wait."""
    state = DoorState("d", (slot("s1", OLD, 0), slot("s2", NEW, 8, streams=1)))
    with pytest.raises(DeployError, match="All 2 slots"):
        choose_slot(state, "another")


def test_replicas_of_one_service_are_one_route() -> None:
    """Two services that serve at once are none; each replica has a slot of its own."""
    state = DoorState("d", (slot("s1", OLD, 0), replace(slot("s2", OLD, 0), replica=2), slot("s3", None, 1)))
    assert (state.route, state.replicas, state.serving, state.split) == (OLD, 2, {OLD: 2}, ())
    second = state.slot_of(OLD, 2)
    assert second is not None
    assert second.name == "s2"
    assert choose_slot(state, OLD, 3, ()).name == "s3"
    with pytest.raises(DeployError):
        choose_slot(state, OLD, 3, ("s3",))
    both = DoorState("d", (slot("s1", OLD, 0), replace(slot("s2", NEW, 0), weight=26)))
    assert (both.route, both.split) == (None, (OLD, NEW))


def test_slots_of_a_shared_name_are_numbered_by_their_traffic() -> None:
    """Those that serve are the first replicas, whatever their places."""
    head = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_fqdn\n"
    rows = [(1, "s1", 8, "tasks.a"), (2, "s2", 0, "tasks.a"), (3, "s3", 0, "b"), (4, "s4", 0, "tasks.a")]
    servers = "".join(f"3 live {n} {name} 10.0.0.{n} 2 {admin} 1 {host}\n" for n, name, admin, host in rows)
    state = parse_state(f"description: abc\n\n1\n{head}{servers}\n# pxname,svname\n")
    assert state is not None
    assert [(s.name, s.service, s.replica) for s in state.slots] == [
        ("s1", "a", 3),
        ("s2", "a", 1),
        ("s3", "b", 1),
        ("s4", "a", 2),
    ]


@pytest.mark.parametrize(
    ("status", "is_open"), [("OPEN", True), ("FULL", True), ("PAUSED", False), ("STOP", False)]
)
def test_a_door_that_takes_no_requests_is_seen(status: str, is_open: bool) -> None:
    """Its frontend says so, in the last of the tables."""
    said = (DATA / "haproxy_routed.txt").read_text()
    state = parse_state(f"{said}\n# pxname,svname,status,pid\nchain,FRONTEND,,,1,2,{status},1,\n\n")
    assert state is not None
    assert (state.is_open, state.slots) == (is_open, recorded("routed").slots)
