"""The file of slots: what a restarted door routes to."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_in, route_text


def test_a_route_is_the_first_slot(golden: Callable[[str, str], None]) -> None:
    """All other slots wait, disabled, for a flip at run time."""
    golden("haproxy/route.cfg", route_text("chain-hello-12345678"))


def test_no_route_disables_all_slots() -> None:
    """A door that has just been made answers that nothing is ready."""
    assert route_text(None).count(" disabled\n") == 16


def test_a_route_is_read_back() -> None:
    """From what was written; no file and no route are the same."""
    for service in ("chain-hello-12345678", None):
        assert route_in({ROUTE_FILE: route_text(service).encode()}) == service
    assert route_in({}) is None
