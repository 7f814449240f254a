"""The file of slots: what a restarted door routes to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, replicas_in, route_in, route_text
from chainctl.adapters.docker.replica_hosts import hosts_of, replica_at


def test_a_route_is_the_first_slot(golden: Callable[[str, str], None]) -> None:
    """All other slots wait, disabled, for a flip at run time."""
    golden("haproxy/route.cfg", route_text("chain-hello-12345678"))


def test_no_route_disables_all_slots() -> None:
    """A door that has just been made answers that nothing is ready."""
    assert route_text(None).count(" disabled\n") == 48


def test_a_route_is_read_back() -> None:
    """From what was written; no file and no route are the same."""
    for service in ("chain-hello-12345678", None):
        assert route_in({ROUTE_FILE: route_text(service).encode()}) == service
    assert route_in({}) is None


@pytest.mark.parametrize("replicas", [1, 2, 20])
def test_replicas_have_a_slot_each(replicas: int) -> None:
    """The door looks for each by its number, for an only one by the name of its service."""
    text = route_text("chain-hello-12345678", replicas)
    files = {ROUTE_FILE: text.encode()}
    assert (route_in(files), replicas_in(files)) == ("chain-hello-12345678", replicas)
    assert ("    server s1 chain-hello-12345678.1:8080\n" in text) == (replicas > 1)
    assert text.count(" disabled\n") == 48 - replicas


def test_hosts_are_read_back() -> None:
    """Both names of a first replica mean that one."""
    for count in (1, 3):
        found = [replica_at(host) for host in hosts_of("chain-a-1", count)]
        assert found == [("chain-a-1", number) for number in range(1, count + 1)]


def test_replicas_that_share_a_name_have_slots_of_their_own() -> None:
    """Then HAProxy gives no two of them the same address."""
    text = route_text("chain-hello-12345678", 2, is_shared=True)
    files = {ROUTE_FILE: text.encode()}
    assert (route_in(files), replicas_in(files)) == ("chain-hello-12345678", 2)
    assert text.count(" tasks.chain-hello-12345678:8080\n") == 2
    assert "allow-dup-ip" not in text
    assert "allow-dup-ip" in route_text("chain-hello-12345678", 2)
