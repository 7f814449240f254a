"""The classic builder's text in; the same events as for BuildKit, and the step that failed, out. Pure."""

from __future__ import annotations

import re

from chainctl.adapters.docker.build_failure import Failure
from chainctl.adapters.docker.build_log import StepLog, clean_line
from chainctl.events import BuildLogged, BuildStepped, Event

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_CACHED = re.compile(r" ---> Using cache\n")
_ERROR_COLOR = "\x1b[91m"
_CHATTER = re.compile(
    r" ---> (Running in )?[0-9a-f]{12}\n|Removing intermediate container [0-9a-f]{12}\n"
    r"|Successfully built [0-9a-f]{12}\n|Successfully tagged \S+\n"
)


class ClassicProgress:
    """Follows one build that the classic builder runs.

    A step is told when the line after it says whether it is cached. An instruction that writes
    `Step 9/9 : …` itself is not believed unless that is the very next step.
    """

    def __init__(self, chainlet: str) -> None:
        self._chainlet = chainlet
        self._number = 0
        self._instruction = ""
        self._is_announced = True
        self._total = ""
        self._log = StepLog()

    def feed(self, text: str) -> list[Event]:
        """Return what happened, for one message of the stream."""
        step = _STEP.fullmatch(text)
        if step and int(step[1]) == self._number + 1:
            return [*self.finish(), *self._open(step)]
        if text == "\n" and not self._is_announced:
            return []
        if _CACHED.fullmatch(text) or _CHATTER.fullmatch(text):
            return [*self._flush(), *self._announce(is_cached=bool(_CACHED.fullmatch(text)))]
        return [*self._announce(), *self._write(text)]

    def finish(self) -> list[Event]:
        """Return what was still held back when the step or the stream ended."""
        return [*self._announce(), *self._flush()]

    def failure(self, message: str) -> Failure:
        """Return the step that failed; `message` is the engine's own word for it."""
        return Failure(self._instruction, self._log.tail, message)

    def _open(self, step: re.Match[str]) -> list[Event]:
        self._number, self._total = int(step[1]), step[2]
        self._instruction = " ".join(clean_line(step[3].replace("\n", " ")).split())
        self._is_announced, self._log = False, StepLog()
        return []

    def _announce(self, *, is_cached: bool = False) -> list[Event]:
        if self._is_announced:
            return []
        self._is_announced = True
        name = f"[{self._number}/{self._total}] {self._instruction}"
        return [BuildStepped(self._chainlet, name, is_cached)]

    def _write(self, text: str) -> list[Event]:
        stream = 2 if text.startswith(_ERROR_COLOR) else 1
        return self._lines(self._log.feed(stream, text.encode(errors="replace")))

    def _flush(self) -> list[Event]:
        return self._lines(self._log.finish())

    def _lines(self, lines: list[str]) -> list[Event]:
        return [BuildLogged(self._chainlet, line) for line in lines]
