"""A running door and other settings in; the same door with those settings, no request lost, out."""

from __future__ import annotations

from chainctl.adapters.docker.doors import ContainerDoor
from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.haproxy_config import CONFIG_FILE, DIRECTORY, DoorSettings, door_files
from chainctl.adapters.docker.haproxy_control import door_state
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.haproxy_state import DoorState
from chainctl.adapters.docker.observe_container import Container
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find, last_lines, signal
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.docker.target_files import OwnedFile, get_files, put_files
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.errors import DeployError

_PATIENCE_SEC = 15.0
_SECRET_MODE = 0o400
_TRIAL = "trial"
_VALID = "the settings are valid"
_CHECK = f'haproxy -c -f "$1/{CONFIG_FILE}" -f "$2" 2>&1 && echo "{_VALID}"; rm -f "$1"/*'


def reload_door(connection: Connection, door: Container, settings: DoorSettings, state: DoorState) -> None:
    """Write the files of a door and let it read them, unless it runs with the same. Raises DeployError."""
    files = door_files(settings)
    there = get_files(connection, door.id, str(DIRECTORY))
    if state.digest == settings.digest and all(there.get(name) == files[name] for name in files):
        return
    if state.route is not None:
        files[ROUTE_FILE] = route_text(state.route, state.replicas).encode()
    owned = [OwnedFile(name, _SECRET_MODE, USER_ID, files[name]) for name in sorted(files)]
    put_files(connection, door.id, str(DIRECTORY), owned)
    signal(connection, door.id, "SIGUSR2")
    await_settings(connection, door.id, settings.digest)


def await_settings(connection: Connection, door: str, digest: str) -> None:
    """Wait until a door answers that it runs with the settings. Raises DeployError with its log."""

    def outcome() -> str | None:
        state = door_state(ContainerDoor(connection, door))
        if state is not None and state.digest == digest:
            return ""
        container = find(connection, door)
        is_up = container is not None and container.is_running and not container.restarts
        return None if is_up or state is not None else "it ended"

    said = first_answer(outcome, _PATIENCE_SEC, longest_pause_sec=0.2)
    if said == "":
        return
    raise DeployError(
        f"The front door did not come up with its settings: {said or f'no answer in {_PATIENCE_SEC:g} s'}",
        hint="correct its settings (certificate, or an image without bash or Lua), then push again",
        details=last_lines(connection, door, 20),
    )


def require_valid(connection: Connection, door: Container, settings: DoorSettings) -> None:
    """Have a running door check settings before anything depends on them. Raises DeployError."""
    trial = DIRECTORY / _TRIAL
    files = door_files(settings, trial)
    owned = [OwnedFile(f"{_TRIAL}/{name}", _SECRET_MODE, USER_ID, files[name]) for name in sorted(files)]
    put_files(connection, door.id, str(DIRECTORY), [OwnedFile(_TRIAL, 0o700, USER_ID), *owned])
    check = ["bash", "-c", _CHECK, "-", str(trial), str(DIRECTORY / ROUTE_FILE)]
    said = run_in(connection, door.id, check).strip()
    if said.endswith(_VALID):
        return
    raise DeployError(
        "HAProxy refuses the settings of the front door; it goes on with those it has",
        hint="correct them (most likely the certificate, a PEM of certificate and key), then push again",
        details=said.splitlines()[-20:],
    )
