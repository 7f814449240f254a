"""How a front door starts whose secrets are files that somebody else puts there: its command, as values. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

CONFIG_DIR = PurePosixPath("/etc/chainctl")
CONFIG_FILE = "haproxy.cfg"
DOOR_SECRETS_DIR = PurePosixPath("/run/secrets")
MADE_DIR = PurePosixPath("/run/door")
DOOR_USER = 99
TOKEN_FILE = ".chainctl-token"  # a file's name
API_KEY_FILE = "api-key"
TLS_FILE = "tls.pem"
MAP_FILE = MADE_DIR / "token"
KEYS_FILE = MADE_DIR / "keys"
ROUTE_FILE = MADE_DIR / "route.cfg"
TOKEN = f"%[str(token),map({MAP_FILE})]"
"""What HAProxy sets as the chain's token: it reads it from the file that `start_command` makes."""

_READ = """\
set -eu
umask 077
bare() { sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' "$1"; }
"""
_TOKEN = f"""\
token="$(bare {DOOR_SECRETS_DIR / TOKEN_FILE})"
test -n "$token" || {{ echo "{DOOR_SECRETS_DIR / TOKEN_FILE} is empty" >&2; exit 1; }}
printf 'token %s\\n' "$token" > {MAP_FILE}
"""
_KEY = f"""\
key="$(bare {DOOR_SECRETS_DIR / API_KEY_FILE})"
test -n "$key" || {{ echo "{DOOR_SECRETS_DIR / API_KEY_FILE} is empty" >&2; exit 1; }}
printf %s "$key" | sha256sum | cut -d ' ' -f 1 > {KEYS_FILE}
"""


def start_command(*, has_key: bool, routes: str = "", is_trial: bool = False) -> tuple[str, ...]:
    """Return the command that brings secrets into the form in which HAProxy reads them, and starts it.

    They pass through files in memory and the shell's own words only: no argument and no variable of the
    environment has one. `routes` are commands that write ROUTE_FILE, "" where the configuration has the routes;
    with `is_trial` HAProxy only says whether it would start.
    """
    files = [CONFIG_DIR / CONFIG_FILE, *([ROUTE_FILE] if routes else [])]
    run = f"exec haproxy {'-c' if is_trial else '-W -db'}{''.join(f' -f {file}' for file in files)}\n"
    return ("sh", "-c", _READ + _TOKEN + (_KEY if has_key else "") + routes + run)
