"""BuildKit's Traces in; events, and the step that failed with its last lines, out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chainctl.adapters.docker.build_failure import Failure
from chainctl.adapters.docker.build_log import StepLog, clean_line
from chainctl.adapters.docker.trace import Trace, Vertex, VertexLog
from chainctl.events import BuildLogged, BuildStepEnded, BuildStepped, Event

# BuildKit pads the number of a step where there are ten or more: "[ 1/10] FROM …".
_SHOWN = re.compile(r"\[ *(\S+ +)?\d+/\d+\] |exporting to image$")
_FAMILIAR = re.compile(r"\b(FROM|load metadata for) docker\.io/(?:library/)?")
MOST_STEPS = 4096
_BRACKET = re.compile(r"^\[[^\]]*\] ")


@dataclass(slots=True)
class _Step:
    """What is known of one vertex."""

    name: str = ""
    error: str = ""
    started: float | None = None
    is_cached: bool = False
    is_announced: bool = False
    is_ended: bool = False
    log: StepLog = field(default_factory=StepLog)


class TraceProgress:
    """Follows one build that BuildKit runs."""

    def __init__(self, chainlet: str) -> None:
        self._chainlet = chainlet
        self._steps: dict[str, _Step] = {}

    def feed(self, trace: Trace) -> list[Event]:
        """Return what happened since the last Trace, in order."""
        latest = {vertex.digest: vertex for vertex in trace.vertexes}
        started = [event for vertex in latest.values() for event in self._start(vertex)]
        logged = [event for log in trace.logs for event in self._log(log)]
        ended = [event for vertex in latest.values() for event in self._end(vertex)]
        return [*started, *logged, *ended]

    def finish(self) -> list[Event]:
        """Return what was still held back when the stream ended."""
        return [event for step in self._steps.values() for event in self._lines(step.log.finish())]

    def failure(self, message: str) -> Failure:
        """Return the step that failed; `message` is the engine's own word for it."""
        for step in self._steps.values():
            if step.error and not step.error.endswith("context canceled"):
                return Failure(_BRACKET.sub("", step.name), step.log.tail, step.error)
        return Failure("", (), message)

    def _start(self, vertex: Vertex) -> list[Event]:
        step = self._step(vertex.digest)
        step.started = vertex.started if step.started is None else step.started
        step.is_cached = step.is_cached or vertex.is_cached
        step.name = _shown_name(vertex.name) or step.name
        step.error = vertex.error or step.error
        if vertex.started is None or step.is_announced or not _SHOWN.match(step.name):
            return []
        step.is_announced = True
        return [BuildStepped(self._chainlet, step.name, vertex.is_cached)]

    def _log(self, log: VertexLog) -> list[Event]:
        step = self._step(log.vertex)
        return self._lines(step.log.feed(log.stream, log.message))

    def _end(self, vertex: Vertex) -> list[Event]:
        if vertex.completed is None:
            return []
        step = self._step(vertex.digest)
        lines = self._lines(step.log.finish())
        if step.is_ended or not step.is_announced or step.error:
            return lines
        step.is_ended = True
        seconds = vertex.completed - (vertex.completed if step.started is None else step.started)
        return [*lines, BuildStepEnded(self._chainlet, step.name, max(0.0, seconds), step.is_cached)]

    def _step(self, digest: str) -> _Step:
        """Return what is known of a vertex; beyond a bound that no build reaches, nothing is kept."""
        if digest not in self._steps and len(self._steps) >= MOST_STEPS:
            return _Step()
        return self._steps.setdefault(digest, _Step())

    def _lines(self, lines: list[str]) -> list[Event]:
        return [BuildLogged(self._chainlet, line) for line in lines]


def _shown_name(name: str) -> str:
    """Return a vertex's name on one line, with the base image called as users call it."""
    line = " ".join(clean_line(name.replace("\n", " ")).split())
    return _FAMILIAR.sub(r"\1 ", line)
