"""Commands for a running HAProxy in; its answers out, over its control port, which only the door itself reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainctl.adapters.docker.doors import Door
from chainctl.adapters.docker.haproxy_state import QUESTIONS, DoorState, parse_state
from chainctl.adapters.docker.haproxy_traffic import TRAFFIC_QUESTIONS, parse_traffic
from chainctl.adapters.docker.labels import DOOR_ALIAS
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.canary import Traffic
from chainctl.deploy.door_config import BACKEND, FRONTEND
from chainctl.errors import DeployError


def door_state(door: Door) -> DoorState | None:
    """Return what a door is doing, None when it does not answer."""
    return parse_state(door.ask(*QUESTIONS))


def prepare(door: Door, slot: str, service: str, address: str) -> None:
    """Point a slot at a service, without traffic: in drain it is resolved and checked."""
    place = f"{BACKEND}/{slot}"
    door.ask(
        f"set server {place} fqdn {service}",
        f"set server {place} addr {address} port {SERVICE_PORT}",
        f"set server {place} state drain",
    )


def rename(door: Door, slot: str, host: str) -> None:
    """Have a slot resolve another name of the replica that it leads to; its traffic goes on."""
    door.ask(f"set server {BACKEND}/{slot} fqdn {host}")


def flip(door: Door, to_slots: Sequence[str], from_slots: Sequence[str]) -> None:
    """Give the traffic to slots and take it from others, at once. Raises DeployError."""
    ready = [f"set server {BACKEND}/{slot} state ready" for slot in to_slots]
    drains = [f"set server {BACKEND}/{slot} state drain" for slot in from_slots]
    weights = [f"set server {BACKEND}/{slot} weight 1" for slot in (*to_slots, *from_slots)]
    said = door.ask(*ready, *drains, *weights)
    if said.strip():
        raise DeployError(f"The front door refused to flip: {said.strip()}", hint="push again")


def split(door: Door, weights: Mapping[str, int]) -> None:
    """Let slots share the traffic by weight, 1 to 256, and count it anew. Raises DeployError."""
    shares = [f"set server {BACKEND}/{slot} weight {weight}" for slot, weight in weights.items()]
    ready = [f"set server {BACKEND}/{slot} state ready" for slot in weights]
    said = door.ask(*shares, *ready, "clear counters all")
    if said.strip():
        raise DeployError(f"The front door refused to split: {said.strip()}", hint="push again")


def door_traffic(door: Door) -> dict[str, Traffic] | None:
    """Return what a door counted of each service, None when it does not answer."""
    return parse_traffic(door.ask(*TRAFFIC_QUESTIONS))


def close(door: Door) -> None:
    """Have a door take no more connections; requests under way go on."""
    door.ask(f"disable frontend {FRONTEND}")


def reopen(door: Door) -> None:
    """Have a door take connections again; one that does is as before."""
    door.ask(f"enable frontend {FRONTEND}")


def drain(door: Door, slot: str) -> None:
    door.ask(f"set server {BACKEND}/{slot} state drain")


def park(door: Door, *slots: str) -> None:
    """Free slots. They resolve the door's own name: one that is unknown would be asked for forever."""
    commands = [
        command
        for slot in slots
        for command in (
            f"set server {BACKEND}/{slot} state maint",
            f"set server {BACKEND}/{slot} fqdn {DOOR_ALIAS}",
        )
    ]
    if commands:
        door.ask(*commands)
