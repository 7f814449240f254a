"""What the front door's container says of loads: its lines read, anything else passed over."""

from __future__ import annotations

from chainctl.adapters.docker.door_loads import parse_loads
from chainctl.deploy.load import Loads, ServiceLoad

SAID = """\
shop-pay-1 {"under_way": 2, "waiting": 1, "awaited": {}}
shop-ask-2 {"under_way": 1, "waiting": 0, "awaited": {"shop-pay-1": 4}}
shop-pay-1 {"under_way": 3, "waiting": 0, "awaited": {}}
held 2

"""


def test_replicas_are_added_up() -> None:
    """Each answers for itself, in no order."""
    assert parse_loads(SAID, ["shop-ask-2", "shop-pay-1"]) == Loads(
        {"shop-pay-1": ServiceLoad(5, 1, {}, 2), "shop-ask-2": ServiceLoad(1, 0, {"shop-pay-1": 4})}, 2
    )


def test_what_was_not_asked_for_or_is_no_load_is_left_out() -> None:
    """A door that does not hold knows no such command; a service may be of an older version."""
    said = 'other {"under_way": 1}\nshop-pay-1 {"status": "x"}\nshop-pay-1 \nUnknown command: wait held\nheld x\n'
    assert parse_loads(said, ["shop-pay-1"]) == Loads()
    assert parse_loads("no answer: the container is gone", ["shop-pay-1"]) == Loads()


def test_what_several_doors_hold_is_counted_together() -> None:
    """One that holds nothing adds nothing."""
    assert parse_loads("held 2\nheld 0\nheld 3\n", []) == Loads(held=5)
