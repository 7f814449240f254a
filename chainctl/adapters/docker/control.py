"""A replica in; its control socket, reached by one command that goes on running in its container, out.

Nothing of it is on a network: who may run commands in a container may change its code anyway. So it works
wherever the engine's API is reached, on another machine too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from chainctl.adapters.control_lines import LineControl
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.exec_frames import unframed
from chainctl.adapters.docker.session_connection import SessionConnection, SessionUnavailableError, attached
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find_own
from chainctl.deploy.target import Control
from chainctl.errors import DeployError

_RELAY = """\
import os, socket, threading
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["CHAINCTL_CONTROL"])
def up():
    while d := os.read(0, 65536):
        s.sendall(d)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while d := s.recv(65536):
    while d:
        d = d[os.write(1, d):]
"""


def open_control(engine: Engine, chain: str, replica: str) -> Control:
    """Start the relay in a replica's container. Raises DeployError when it does not run, or may not be entered."""
    with ExitStack() as opened:
        connection = opened.enter_context(Connection.opened(engine))
        container = find_own(connection, replica, chain)
        if container is None or not container.is_running:
            raise DeployError(f"The service {replica} is not running", hint="push again")
        command = [container.command, "-I", "-c", _RELAY]
        try:
            with connection.changing(f"run a command in {replica}"):
                made = connection.client.exec_create(container.id, command, stdin=True)
                session = attached(connection.client, made["Id"])
        except SessionUnavailableError as error:
            raise DeployError(f"{replica} can not be reached: the engine answers {error}") from error
        return RelayControl(LineControl(replica, FramedWire(session)), opened.pop_all())


@dataclass(slots=True)
class FramedWire:
    """What a command writes comes in frames of the engine; what is written to it goes as it is."""

    session: SessionConnection
    _rest: bytearray = field(default_factory=bytearray)

    def receive(self) -> bytes:
        while True:
            output, used = unframed(bytes(self._rest))
            del self._rest[:used]
            if output:
                return output
            data = self.session.receive()
            if not data:
                return b""
            self._rest += data

    def send(self, data: bytes) -> None:
        self.session.send(data)

    def cut(self) -> None:
        self.session.cut()

    def close(self) -> None:
        self.session.cut()
        self.session.close()


@dataclass(frozen=True, slots=True)
class RelayControl:
    """A control with the client that carries it."""

    lines: LineControl
    opened: ExitStack

    def ask(self, message: Mapping[str, Any], within_sec: float) -> Mapping[str, Any]:
        return self.lines.ask(message, within_sec)

    def cut(self) -> None:
        self.lines.cut()

    def close(self) -> None:
        self.lines.close()
        self.opened.close()
