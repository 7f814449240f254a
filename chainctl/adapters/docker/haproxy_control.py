"""Commands for a running HAProxy in; its answers out, over its control port, which only the door itself reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainctl.adapters.docker.haproxy_state import QUESTIONS, DoorState, parse_state
from chainctl.adapters.docker.haproxy_traffic import TRAFFIC_QUESTIONS, parse_traffic
from chainctl.adapters.docker.labels import DOOR_ALIAS
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_exec import run_in
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.canary import Traffic
from chainctl.deploy.door_config import BACKEND, CONTROL_PORT
from chainctl.errors import DeployError

_TALK = f'exec 3<>/dev/tcp/127.0.0.1/{CONTROL_PORT}; printf "%s\\n" "$1" >&3; cat <&3'


def ask(connection: Connection, door: str, *commands: str) -> str:
    """Run commands at once and return all that they answer. The door needs bash and cat for it."""
    return run_in(connection, door, ["bash", "-c", _TALK, "-", "; ".join(commands)])


def door_state(connection: Connection, door: str) -> DoorState | None:
    """Return what a door is doing, None when it does not answer."""
    return parse_state(ask(connection, door, *QUESTIONS))


def prepare(connection: Connection, door: str, slot: str, service: str, address: str) -> None:
    """Point a slot at a service, without traffic: in drain it is resolved and checked."""
    place = f"{BACKEND}/{slot}"
    ask(
        connection,
        door,
        f"set server {place} fqdn {service}",
        f"set server {place} addr {address} port {SERVICE_PORT}",
        f"set server {place} state drain",
    )


def rename(connection: Connection, door: str, slot: str, host: str) -> None:
    """Have a slot resolve another name of the replica that it leads to; its traffic goes on."""
    ask(connection, door, f"set server {BACKEND}/{slot} fqdn {host}")


def flip(connection: Connection, door: str, to_slots: Sequence[str], from_slots: Sequence[str]) -> None:
    """Give the traffic to slots and take it from others, at once. Raises DeployError."""
    ready = [f"set server {BACKEND}/{slot} state ready" for slot in to_slots]
    drains = [f"set server {BACKEND}/{slot} state drain" for slot in from_slots]
    weights = [f"set server {BACKEND}/{slot} weight 1" for slot in (*to_slots, *from_slots)]
    said = ask(connection, door, *ready, *drains, *weights)
    if said.strip():
        raise DeployError(f"The front door refused to flip: {said.strip()}", hint="push again")


def split(connection: Connection, door: str, weights: Mapping[str, int]) -> None:
    """Let slots share the traffic by weight, 1 to 256, and count it anew. Raises DeployError."""
    shares = [f"set server {BACKEND}/{slot} weight {weight}" for slot, weight in weights.items()]
    ready = [f"set server {BACKEND}/{slot} state ready" for slot in weights]
    said = ask(connection, door, *shares, *ready, "clear counters all")
    if said.strip():
        raise DeployError(f"The front door refused to split: {said.strip()}", hint="push again")


def door_traffic(connection: Connection, door: str) -> dict[str, Traffic] | None:
    """Return what a door counted of each service, None when it does not answer."""
    return parse_traffic(ask(connection, door, *TRAFFIC_QUESTIONS))


def drain(connection: Connection, door: str, slot: str) -> None:
    ask(connection, door, f"set server {BACKEND}/{slot} state drain")


def park(connection: Connection, door: str, *slots: str) -> None:
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
        ask(connection, door, *commands)
