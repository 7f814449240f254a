"""A chain in; a socket to its front door that goes through the engine's own connection, out.

For doors that listen on the loopback address of another machine: nothing has to be opened there, and who may use
the engine may call its chains anyway.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from ipaddress import ip_address

from chainctl.adapters.docker.attach import as_socket
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import door_name
from chainctl.adapters.docker.observe import is_remote
from chainctl.adapters.docker.session_connection import SessionUnavailableError, attached
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find_own
from chainctl.deploy.door_config import PORT
from chainctl.errors import DeployError

_RELAY = (
    f"exec 3<>/dev/tcp/127.0.0.1/{PORT} 4<&0; cat <&4 >&3 & up=$!; cat <&3 & down=$!; wait -n; kill $up $down"
)


def connect_door(engine: Engine, chain: str) -> socket.socket | None:
    """Connect to a chain's door, in whose container one command carries the bytes while the socket is open.

    None where its address is reached from here. Raises DeployError when it does not run, EngineError.
    """
    if not is_remote(engine.address):
        return None
    with ExitStack() as opened:
        connection = opened.enter_context(Connection.opened(engine))
        door = find_own(connection, door_name(chain), chain)
        if door is None or not door.is_running:
            raise DeployError(f"The front door of {chain} is not running", hint="push again")
        if door.published is None or not ip_address(door.published[0] or "0.0.0.0").is_loopback:
            return None
        try:
            with connection.changing(f"run a command in {door.name}"):
                made = connection.client.exec_create(door.id, ["bash", "-c", _RELAY], stdin=True)
                session = attached(connection.client, made["Id"])
        except SessionUnavailableError as error:
            raise DeployError(
                f"The front door of {chain} can not be reached through the engine, which answers {error}",
                hint='let it listen where it is reached from here: the setting `bind = "0.0.0.0"`',
            ) from error
        return as_socket(session, opened.pop_all().close)
