"""The path of a control socket in; a connection to it, which only we can open, out."""

from __future__ import annotations

import socket
from pathlib import Path

from chainctl.adapters.control_lines import LineControl, SocketWire
from chainctl.errors import DeployError


def connect_control(path: Path, replica: str) -> LineControl:
    """Connect to a replica. Raises DeployError when nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise DeployError(
            f"{replica} can not be reached: {error.strerror}", hint="see `chainctl ps`, push again"
        ) from error
    return LineControl(replica, SocketWire(connection))
