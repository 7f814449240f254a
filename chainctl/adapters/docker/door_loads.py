"""Services in; what all their replicas have to do, and what the front door holds, out, by one command within.

The door is on the chain's network and resolves every name of it, on whatever machine replicas are, and has the
chain's token in its configuration: so nothing is opened, and no secret is on a command line. Where it is several,
on machines of their own, the token is what the command reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from chainctl.adapters.docker.haproxy_config import CONFIG_FILE, DIRECTORY
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_exec import run_in
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.door_config import CONTROL_PORT
from chainctl.deploy.load import Loads, ServiceLoad, load_of

_REPLICA_SEC = 1
_LOOK_SEC = 4
_AT_ONCE = 24
"""So many replicas are asked at once: a door may have 64 processes."""
_OWN_TOKEN = f"""\
while IFS= read -r line; do
  case $line in *"set-header x-chainctl-token "*) token=${{line#*x-chainctl-token \\'}}; token=${{token%\\'}};; esac
done < {DIRECTORY / CONFIG_FILE}
token=${{token//"'\\\\''"/"'"}}; token=${{token//%%/%}}
"""
_TOLD_TOKEN = "IFS= read -r token\n"
_ASK_ALL = f"""\
ask() {{
  exec 4<>"/dev/tcp/$2/{SERVICE_PORT}" || return
  printf 'GET /-/load HTTP/1.1\\r\\nhost: %s\\r\\nx-chainctl-token: %s\\r\\nconnection: close\\r\\n\\r\\n' \\
    "$1" "$token" >&4
  IFS= read -r -d '' -t {_REPLICA_SEC} answer <&4
  case $answer in "HTTP/1.1 200 "*) printf '%s %s\\n' "$1" "${{answer##*$'\\n'}}";; esac
}}
patience=$1; doors=$2; shift 2
count=0
for service; do
  while read -r address kind _; do
    [ "$kind" = STREAM ] || continue
    [ $((++count % {_AT_ONCE})) != 0 ] || wait
    ask "$service" "$address" 2>/dev/null &
  done < <(getent ahostsv4 "$service")
done
wait
held() {{
  timeout "$3" bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "wait held %s\\n" "$3" >&3 && exec cat <&3' \\
    - "${{1%:*}}" "${{1##*:}}" "$2"
}}
"""
_ONE_HELD = 'held "$doors" "$patience" $((patience / 1000 + 2))\n'
_ANY_HELD = """\
for door in $doors; do
  case $(held "$door" "$patience" $((patience / 1000 + 1)) 2>/dev/null) in "held 0"|"") false;; esac &
done
while wait -n; state=$?; [ $state != 127 ] && [ $state != 0 ]; do :; done
kill $(jobs -p) 2>/dev/null
for door in $doors; do held "$door" 0 1 2>/dev/null & done
wait
"""


def door_loads(connection: Connection, door: str, services: Sequence[str], within_sec: float) -> Loads:
    """Ask for loads; with `within_sec` wait for so long until a request is held. What is silent is left out."""
    command = _command(_OWN_TOKEN + _ASK_ALL + _ONE_HELD, [f"127.0.0.1:{CONTROL_PORT}"], services, within_sec)
    return parse_loads(run_in(connection, door, command), services)


def several_loads_command(
    doors: Sequence[str], services: Sequence[str], within_sec: float
) -> tuple[Sequence[str], float]:
    """Return a command that asks for loads, and what several doors hold, and how many seconds it takes at most.

    `doors` are `IP:port`. It reads the chain's token and a line break; it writes what `parse_loads` reads.
    """
    return _command(_TOLD_TOKEN + _ASK_ALL + _ANY_HELD, doors, services, within_sec), _LOOK_SEC + within_sec


def _command(script: str, doors: Sequence[str], services: Sequence[str], within_sec: float) -> Sequence[str]:
    limit = f"{_LOOK_SEC + within_sec:g}"
    return [
        "timeout",
        limit,
        "bash",
        "-c",
        script,
        "-",
        str(round(within_sec * 1000)),
        " ".join(doors),
        *services,
    ]


def parse_loads(text: str, services: Sequence[str]) -> Loads:
    """Read lines such as `shop-pay-1a2b3c4d {"under_way": 1, …}` and `held 2`; others are not ours."""
    found: dict[str, ServiceLoad] = {}
    held = 0
    for name, rest in (line.split(" ", 1) for line in text.splitlines() if " " in line):
        if name == "held" and rest.strip().isdecimal():
            held += int(rest)
        elif name in services:
            for load in _loads_in(rest):
                found[name] = found[name] + load if name in found else load
    return Loads(found, held)


def _loads_in(text: str) -> Iterator[ServiceLoad]:
    try:
        yield load_of(json.loads(text))
    except ValueError:
        return
