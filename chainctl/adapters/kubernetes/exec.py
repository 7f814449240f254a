"""A pod and a command in; what the command says, or a connection to it while it runs, out."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.kubernetes.api import Api
from chainctl.errors import DeployError

_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_BINARY = 2


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and whether it ended with 0."""

    output: str
    errors: str
    is_success: bool


def run_in(api: Api, pod: str, container: str, command: Sequence[str], *, within_sec: float = 20.0) -> Said:
    """Run a command in a pod and return all that it wrote. Raises DeployError, also when it takes too long."""
    wire = open_exec(api, pod, container, command, has_input=False)
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        wire.cut()

    timer = threading.Timer(within_sec, give_up)
    timer.start()
    try:
        return wire.all()
    except OSError as error:
        late = f"did not end within {within_sec:g} s" if is_late.is_set() else f"was lost: {error}"
        raise DeployError(f"A command in {pod} {late}", hint="see `chainctl ps`, push again") from error
    finally:
        timer.cancel()
        wire.close()


def open_exec(
    api: Api, pod: str, container: str, command: Sequence[str], *, has_input: bool = True
) -> ExecWire:
    """Start a command in a pod. Raises DeployError when the pod is gone, or may not be entered."""
    path = f"/api/v1/namespaces/{api.namespace}/pods/{pod}/exec"
    query = [
        ("container", container),
        *([("stdin", "1")] if has_input else []),
        ("stdout", "1"),
        ("stderr", "1"),
        *(("command", word) for word in command),
    ]
    return ExecWire(api.socket(path, query, f"run a command in the pod {pod}"))


@dataclass(slots=True)
class ExecWire:
    """Two directions of bytes to a command that runs in a pod."""

    connection: Any

    def receive(self) -> bytes:
        """Return what the command wrote next to its output, b"" when it has ended."""
        while True:
            channel, data = self.frame()
            if channel == _STDOUT and data:
                return data
            if channel in (None, _STATUS):
                return b""

    def send(self, data: bytes) -> None:
        ended = _ended()
        try:
            self.connection.send(bytes([_STDIN]) + data, opcode=_BINARY)
        except ended as error:
            raise OSError(str(error)) from error

    def cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError, _ended()):
            self.connection.close(timeout=1)
        with suppress(OSError):
            self.connection.shutdown()  # `close` leaves the socket open where the other side closed first

    def all(self) -> Said:
        """Return all that the command writes. Raises OSError when the connection ends before it does."""
        written = {_STDOUT: bytearray(), _STDERR: bytearray()}
        while True:
            channel, data = self.frame()
            if channel is None:
                raise OSError("the connection ended")
            if channel == _STATUS:
                output, errors = (written[one].decode(errors="replace") for one in (_STDOUT, _STDERR))
                return Said(output, errors, json.loads(data).get("status") == "Success")
            if channel in written:
                written[channel] += data

    def frame(self) -> tuple[int | None, bytes]:
        """Return the channel of what came next, and its bytes; None for the connection's end, -1 for no channel."""
        ended = _ended()
        try:
            _, frame = self.connection.recv_data_frame(True)
        except (OSError, ended):
            return None, b""
        data = bytes(frame.data)
        if frame.opcode not in (1, _BINARY):
            return (None, b"") if frame.opcode == 8 else (-1, b"")
        return (data[0], data[1:]) if data else (-1, b"")


def _ended() -> type[Exception]:
    from websocket import WebSocketException

    return WebSocketException
