"""What an engine says of networks, and of which kind they are."""

from __future__ import annotations

from chainctl.adapters.docker.network import BRIDGE, OVERLAY, driver_of


def test_a_network_that_was_just_made_is_of_its_swarm() -> None:
    """A manager tells of it before the swarm has given it a driver."""
    assert driver_of({"Driver": "", "Scope": "swarm"}) == OVERLAY
    assert driver_of({"Driver": "overlay", "Scope": "swarm"}) == OVERLAY
    assert driver_of({"Driver": "bridge", "Scope": "local"}) == BRIDGE
