"""A service or none in; HAProxy's file of slots, of which the first has the traffic, out, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainctl.deploy.release import SERVICE_PORT

ROUTE_FILE = "route.cfg"
BACKEND = "live"
SLOTS = tuple(f"s{number}" for number in range(1, 17))
_NOWHERE = f"127.0.0.1:{SERVICE_PORT} disabled"
_FIRST = re.compile(rf"^    server {SLOTS[0]} (\S+):{SERVICE_PORT}$", re.MULTILINE)
_HEAD = f"""\
backend {BACKEND} from door
    balance roundrobin
    default-server check inter 500ms fastinter 200ms fall 2 rise 1 init-addr libc,none \
resolvers engine resolve-prefer ipv4 resolve-opts allow-dup-ip
"""


def route_text(service: str | None) -> str:
    """Return the slots that a door starts with: a flip goes to a free one while it runs."""
    first = f"{service}:{SERVICE_PORT}" if service else _NOWHERE
    places = [first, *[_NOWHERE] * (len(SLOTS) - 1)]
    return _HEAD + "".join(f"    server {slot} {place}\n" for slot, place in zip(SLOTS, places, strict=True))


def route_in(files: Mapping[str, bytes]) -> str | None:
    """Return the service that a restarted door would route to."""
    found = _FIRST.search(files.get(ROUTE_FILE, b"").decode(errors="replace"))
    return found[1] if found else None
