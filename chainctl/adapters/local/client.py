"""A request in, the answer of a chain's supervisor out."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from chainctl.adapters.local.memory import RunMemory
from chainctl.adapters.local.paths import RunPaths
from chainctl.adapters.local.private_directory import checked_socket
from chainctl.adapters.local.protocol import Answer, Call, List, Listing, Refused, Reply, Verb
from chainctl.errors import DeployError, EngineError

ANSWER_SEC = 10.0


class SupervisorGone(EngineError):
    """No supervisor runs for this chain."""


class SupervisorClient:
    """Asks one chain's supervisor over its control socket."""

    def __init__(self, run: RunPaths) -> None:
        self._run = run

    def ask(self, request: Verb, *, within_sec: float = ANSWER_SEC) -> Answer:
        """Return the answer. Raises SupervisorGone, EngineError when it is late, DeployError."""
        line = Call(request=request).model_dump_json().encode() + b"\n"
        answer = _parsed(self._exchange(line, within_sec))
        if isinstance(answer, Refused):
            raise DeployError(answer.message, hint=answer.hint, details=answer.details)
        return answer

    def memory(self, *, within_sec: float = ANSWER_SEC) -> RunMemory:
        """Return all that the supervisor knows."""
        answer = self.ask(List(), within_sec=within_sec)
        if not isinstance(answer, Listing):
            raise _unintelligible([repr(answer)])
        return answer.memory

    def pid(self) -> int | None:
        """Return the process that listens on the control socket, None where nobody tells."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        with self._connection(ANSWER_SEC) as sock:
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("iII", credentials)[0])

    def _exchange(self, line: bytes, within_sec: float) -> bytes:
        try:
            with self._connection(within_sec) as sock, sock.makefile("rb") as answers:
                sock.sendall(line)
                answer = answers.readline()
        except TimeoutError as error:
            raise self._late(within_sec) from error
        except ConnectionError:
            answer = b""
        if not answer.endswith(b"\n"):
            raise SupervisorGone(
                f"The supervisor of {self._run.chain} ended before it answered",
                hint=f"push again; {self._run.supervisor_log} says why it ended",
            )
        return answer

    @contextmanager
    def _connection(self, within_sec: float) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(within_sec)
            try:
                sock.connect(str(checked_socket(self._run.control)))
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
                raise self._unreachable(error) from error
            yield sock

    def _unreachable(self, error: OSError) -> EngineError:
        if isinstance(error, BlockingIOError):
            return self._late(0)
        return SupervisorGone(f"No supervisor runs for {self._run.chain}", hint="push again, that starts one")

    def _late(self, within_sec: float) -> EngineError:
        return EngineError(
            f"The supervisor of {self._run.chain} did not answer within {within_sec:g} s",
            hint=f"look at {self._run.supervisor_log}; `chainctl down` ends a supervisor that hangs",
        )


def _parsed(line: bytes) -> Answer:
    try:
        return Reply.model_validate_json(line).reply
    except ValidationError as error:
        raise _unintelligible(str(error).splitlines()) from error


def _unintelligible(details: list[str]) -> EngineError:
    return EngineError(
        "The supervisor was started by another version of chainctl",
        hint="take the chain down with `chainctl down`, then push it again",
        details=details,
    )
