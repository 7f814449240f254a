"""Two directions of bytes to a control socket in; questions and answers, one JSON object a line, out."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from chainctl.errors import DeployError

_CHUNK = 1 << 16


class Wire(Protocol):
    """A connection. `cut` may be called from any thread: what waits finds the end then."""

    def receive(self) -> bytes: ...

    def send(self, data: bytes) -> None: ...

    def cut(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class LineControl:
    """The control of one replica, by its name. One thread asks at a time."""

    replica: str
    wire: Wire
    _rest: bytearray = field(default_factory=bytearray)

    def ask(self, message: Mapping[str, Any], within_sec: float) -> Mapping[str, Any]:
        """Send a line and return the next one. Raises DeployError when none comes in time, or at all."""
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            self.wire.cut()

        timer = threading.Timer(within_sec, give_up)
        timer.start()
        try:
            self.wire.send(json.dumps(message).encode() + b"\n")
            line = self._line()
        except (OSError, ValueError) as error:
            raise self._lost(str(error), within_sec, is_late=is_late.is_set()) from error
        finally:
            timer.cancel()
        if line is None:
            raise self._lost("the connection ended", within_sec, is_late=is_late.is_set())
        answer = json.loads(line)
        if not isinstance(answer, dict):
            raise DeployError(
                f"{self.replica} answered what is no answer", details=[line[:200].decode("replace")]
            )
        return answer

    def cut(self) -> None:
        self.wire.cut()

    def close(self) -> None:
        self.wire.close()

    def _line(self) -> bytes | None:
        while b"\n" not in self._rest:
            data = self.wire.receive()
            if not data:
                return None
            self._rest += data
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest[:] = rest
        return line

    def _lost(self, why: str, within_sec: float, *, is_late: bool) -> DeployError:
        if is_late:
            return DeployError(f"{self.replica} did not answer within {within_sec:g} s")
        return DeployError(f"{self.replica} can not be reached: {why}", hint="see `chainctl ps`, push again")


@dataclass(frozen=True, slots=True)
class SocketWire:
    """A socket of this machine."""

    connection: socket.socket

    def receive(self) -> bytes:
        return self.connection.recv(_CHUNK)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.connection.close()
