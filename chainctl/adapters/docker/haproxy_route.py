"""A service or none in; HAProxy's file of slots, of which the first has the traffic, out, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from chainctl.adapters.docker.replica_hosts import hosts_of, replica_at
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.door_config import BACKEND, OPEN_PATH

ROUTE_FILE = "route.cfg"
SLOTS = tuple(f"s{number}" for number in range(1, 49))
"""Enough for twice the replicas that a chainlet may have, and for older releases whose last requests go on."""
_NOWHERE = f"127.0.0.1:{SERVICE_PORT} disabled"
_FIRST = re.compile(rf"^    server {SLOTS[0]} (\S+):{SERVICE_PORT}$", re.MULTILINE)
_TAKEN = re.compile(rf"^    server \S+ \S+:{SERVICE_PORT}$", re.MULTILINE)
_HEAD = f"""\
backend {BACKEND} from door
    balance roundrobin
    # A replica that starts anew, or is about to end, says 503 here and gets no requests.
    option httpchk GET {OPEN_PATH}
    http-check expect ! status 503
    default-server check inter 500ms fastinter 200ms fall 2 rise 1 init-addr libc,none \
resolvers engine resolve-prefer ipv4{{options}}
"""
_OWN_NAMES = " resolve-opts allow-dup-ip"


def route_text(service: str | None, replicas: int = 1, *, is_shared: bool = False) -> str:
    """Return the slots that a door starts with: a flip goes to free ones while it runs.

    `is_shared` says that replicas share a name: then no two slots take the same of its addresses.
    """
    hosts = hosts_of(service, replicas, is_shared=is_shared) if service else []
    taken = [f"{host}:{SERVICE_PORT}" for host in hosts]
    places = [*taken, *[_NOWHERE] * (len(SLOTS) - len(taken))]
    head = _HEAD.format(options="" if is_shared else _OWN_NAMES)
    return head + "".join(f"    server {slot} {place}\n" for slot, place in zip(SLOTS, places, strict=True))


def route_script(variable: str, file: PurePosixPath) -> str:
    """Return shell commands that write the slots into a file: those of a service whose replicas share its name.

    `variable` of the environment has the service and the number of its replicas, with a space between; "" for none.
    """
    place = f"{hosts_of('$1', 1, is_shared=True)[0]}:{SERVICE_PORT}"
    return f"""\
set -- ${variable}
number=0
{{
cat <<'END'
{_HEAD.format(options="")}END
while [ $number -lt {len(SLOTS)} ]; do
  number=$((number + 1))
  if [ $number -le "${{2:-0}}" ]; then place="{place}"; else place="{_NOWHERE}"; fi
  echo "    server s$number $place"
done
}} > {file}
"""


def route_in(files: Mapping[str, bytes]) -> str | None:
    """Return the service that a restarted door would route to."""
    found = _FIRST.search(files.get(ROUTE_FILE, b"").decode(errors="replace"))
    return replica_at(found[1])[0] if found else None


def replicas_in(files: Mapping[str, bytes]) -> int:
    """Return over how many replicas a restarted door would spread the traffic."""
    return max(1, len(_TAKEN.findall(files.get(ROUTE_FILE, b"").decode(errors="replace"))))
