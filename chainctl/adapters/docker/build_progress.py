"""The lines of a build's stream in, from either builder; events, then an image or a Failure, out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from chainctl.adapters.docker.build_classic import ClassicProgress
from chainctl.adapters.docker.build_failure import Failure
from chainctl.adapters.docker.build_message import (
    Built,
    Failed,
    Other,
    Traced,
    Wrote,
    decode_message,
)
from chainctl.adapters.docker.trace_progress import TraceProgress
from chainctl.events import BuildLogged, BuildStepEnded, BuildStepped, Event


class BuildProgress:
    """Follows one build. Which builder runs is seen from what it says, not from what was asked.

    `image_id` is set when the image is there, `failure` when the build ended with an error;
    a stream that ends with neither was cut off. `clean` takes secrets out of all that is told.
    """

    def __init__(self, chainlet: str, clean: Callable[[str], str] = str) -> None:
        self.image_id: str | None = None
        self.failure: Failure | None = None
        self._trace = TraceProgress(chainlet)
        self._classic = ClassicProgress(chainlet)
        self._is_traced = False
        self._clean = clean

    def feed(self, line: bytes) -> list[Event]:
        """Return what happened, for one line of the stream."""
        return [self._cleaned(event) for event in self._heard(line)]

    def _heard(self, line: bytes) -> list[Event]:
        match decode_message(line):
            case Traced(trace):
                self._is_traced = True
                return self._trace.feed(trace)
            case Wrote(text):
                return [] if self._is_traced else self._classic.feed(text)
            case Built(image_id):
                self.image_id = image_id
                return []
            case Failed(message):
                return self._fail(message)
            case Other():
                return []
            case unknown:
                assert_never(unknown)

    def _fail(self, message: str) -> list[Event]:
        builder = self._trace if self._is_traced else self._classic
        events = builder.finish()
        failed = builder.failure(message)
        tail = tuple(map(self._clean, failed.tail))
        self.failure = Failure(self._clean(failed.step), tail, self._clean(failed.reason))
        return events

    def _cleaned(self, event: Event) -> Event:
        match event:
            case BuildLogged(line=line):
                return replace(event, line=self._clean(line))
            case BuildStepped(step=step) | BuildStepEnded(step=step):
                return replace(event, step=self._clean(step))
            case _:
                return event
