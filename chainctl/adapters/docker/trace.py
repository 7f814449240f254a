"""One message of BuildKit's trace (protobuf StatusResponse) in; a Trace of vertexes and logs out.

The fields are those of moby/buildkit's api/services/control/control.proto; unknown ones are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.adapters.docker.trace_wire import TraceError, fields

LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Vertex:
    """A step of a build as BuildKit sees it now; times are seconds since the epoch."""

    digest: str
    name: str = ""
    inputs: tuple[str, ...] = ()
    is_cached: bool = False
    started: float | None = None
    completed: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class VertexStatus:
    """How far one part of a vertex is, such as a layer that is being fetched; sizes are bytes."""

    id: str
    vertex: str
    current: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class VertexLog:
    """Bytes that a vertex wrote: 1 is standard output, 2 standard error."""

    vertex: str
    stream: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """What changed in a build since the last Trace."""

    vertexes: tuple[Vertex, ...] = ()
    statuses: tuple[VertexStatus, ...] = ()
    logs: tuple[VertexLog, ...] = ()


def decode_trace(data: bytes) -> Trace:
    """Return the Trace that the bytes hold. Raises TraceError for anything else."""
    if len(data) > LARGEST:
        raise TraceError("the message is too large")
    message = _Message(data)
    return Trace(
        vertexes=tuple(_vertex(_Message(part)) for part in message.parts(1)),
        statuses=tuple(_status(_Message(part)) for part in message.parts(2)),
        logs=tuple(_log(_Message(part)) for part in message.parts(3)),
    )


class _Message:
    """The fields of one message, by number; of a field that is there once, the last counts."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in fields(data):
            self._fields.setdefault(number, []).append(value)

    def parts(self, number: int) -> list[bytes]:
        values = self._fields.get(number, [])
        parts = [value for value in values if isinstance(value, bytes)]
        if len(parts) != len(values):
            raise TraceError(f"field {number} is a number")
        return parts

    def data(self, number: int) -> bytes:
        return (self.parts(number) or [b""])[-1]

    def text(self, number: int) -> str:
        return self.data(number).decode(errors="replace")

    def number(self, number: int) -> int:
        value = self._fields.get(number, [0])[-1]
        if isinstance(value, bytes):
            raise TraceError(f"field {number} is no number")
        return value - (1 << 64) if value >> 63 else value

    def time(self, number: int) -> float | None:
        if number not in self._fields:
            return None
        stamp = _Message(self.data(number))
        return stamp.number(1) + stamp.number(2) / 1e9


def _vertex(message: _Message) -> Vertex:
    return Vertex(
        digest=message.text(1),
        name=message.text(3),
        inputs=tuple(part.decode(errors="replace") for part in message.parts(2)),
        is_cached=bool(message.number(4)),
        started=message.time(5),
        completed=message.time(6),
        error=message.text(7),
    )


def _status(message: _Message) -> VertexStatus:
    return VertexStatus(message.text(1), message.text(2), message.number(4), message.number(5))


def _log(message: _Message) -> VertexLog:
    return VertexLog(message.text(1), message.number(3), message.data(4))
