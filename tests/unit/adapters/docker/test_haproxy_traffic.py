"""HAProxy's counters become the traffic of services."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.docker.haproxy_state import DoorState, Slot
from chainctl.adapters.docker.haproxy_traffic import parse_traffic
from chainctl.deploy.canary import Traffic

OLD, NEW = "tchain-hello-11111111", "tchain-hello-22222222"
DATA = Path(__file__).parent / "data"
COLUMNS = "svname,scur,stot,econ,eresp,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,srv_abrt,rtime"
STATE = f"1\n# be_id srv_name srv_fqdn\n3 s1 {OLD}\n3 s2 {NEW}\n3 s3 front\n\n"


def said(*rows: str) -> str:
    """What it answers: the slots, then a table of statistics."""
    lines = "".join(f"live,{row}\n" for row in rows)
    return f"{STATE}# pxname,{COLUMNS}\n{lines}\n"


def test_answers_are_counted_by_service() -> None:
    """Every status is an answer, 5xx a failure; what is parked is nobody's."""
    text = said(
        "s1,1,101,0,0,1,90,2,3,4,0,0,12", "s2,0,10,0,0,0,10,0,0,0,0,0,7", "s3,0,5,0,0,0,5,0,0,0,0,0,0"
    )
    assert parse_traffic(text) == {OLD: Traffic(101, 100, 4, 0.012), NEW: Traffic(10, 10, 0, 0.007)}


def test_lost_attempts_and_broken_answers_are_failures() -> None:
    """Connections that were refused, answers that were none, answers that broke off."""
    assert parse_traffic(said("s2,0,2,3,1,0,6,0,0,0,0,2,1")) == {NEW: Traffic(10, 10, 6, 0.001)}


def test_a_recorded_door_has_traffic() -> None:
    """The columns are found by name in a real table."""
    found = parse_traffic((DATA / "haproxy_draining.txt").read_text())
    assert found is not None
    assert found.keys() == {OLD, NEW}
    assert all(traffic.begun >= traffic.answered for traffic in found.values())


def test_what_is_not_haproxys_is_no_traffic() -> None:
    """A door that is down answers with something else."""
    assert parse_traffic("no answer: container is not running") is None


def test_a_split_is_told_from_a_flip_that_was_cut_off_by_its_weights() -> None:
    """Two that serve with the same weight as ever are no split."""
    old, new = Slot("s1", OLD, "", "UP", 0, 0, 230), Slot("s2", NEW, "", "UP", 0, 0, 26)
    assert DoorState("d", (old, new)).split == (OLD, NEW)
    assert DoorState("d", (old, new)).route is None
    even = (Slot("s1", OLD, "", "UP", 0, 0), Slot("s2", NEW, "", "UP", 0, 0))
    assert DoorState("d", even).split == DoorState("d", (old,)).split == ()
