"""What a service wrote about one event in; one line of JSON out, and back into text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

# The local target cuts lines at 64 KiB, and a character takes up to six bytes in JSON.
LONGEST_MESSAGE = 10_000
_PLAIN_LEVEL = "INFO"


@dataclass(frozen=True)
class LogEvent:
    """One line that a service printed or logged. `time` is ISO 8601, UTC, with milliseconds.

    `logger` is "" for prints, `stream` is "stdout" or "stderr" for prints and "" otherwise; the ids are
    "" outside of calls.
    """

    time: str
    level: str
    chainlet: str
    message: str
    service: str = ""
    logger: str = ""
    stream: str = ""
    request_id: str = ""
    trace_id: str = ""

    def as_json(self) -> dict[str, str]:
        """Return its fields, without the empty ones."""
        required = {
            "time": self.time,
            "level": self.level,
            "chainlet": self.chainlet,
            "message": self.message,
        }
        optional = {
            "service": self.service,
            "logger": self.logger,
            "stream": self.stream,
            "request_id": self.request_id,
            "trace_id": self.trace_id,
        }
        return {**required, **{name: value for name, value in optional.items() if value}}

    @property
    def text(self) -> str:
        """What people read: the message, after its level where that says something."""
        return self.message if self.level == _PLAIN_LEVEL else f"{self.level} {self.message}"


def format_event(event: LogEvent) -> bytes:
    """Write an event as one line, with its line end. Lone surrogates stay what they are, as escapes."""
    text = json.dumps(event.as_json(), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def parse_event(line: str) -> Optional[LogEvent]:
    """Read a line back, None for one that is no event of ours: what C code wrote, or an older release."""
    if not line.startswith('{"time":'):
        return None
    try:
        value: Any = json.loads(line)
    except ValueError:
        return None
    known = {name: value[name] for name in LogEvent.__dataclass_fields__ if isinstance(value.get(name), str)}
    return LogEvent(**known) if known.keys() >= {"time", "level", "chainlet", "message"} else None


def readable(lines: Iterable[str]) -> list[str]:
    """Return what a service wrote as people read it; lines that are no events stay as they are."""
    shown: list[str] = []
    for line in lines:
        event = parse_event(line)
        shown += [line] if event is None else event.text.split("\n")
    return shown


def shortened(message: str) -> str:
    """Bound a message; the middle goes, because the end of a traceback says what went wrong."""
    surplus = len(message) - LONGEST_MESSAGE
    if surplus <= 0:
        return message
    half = LONGEST_MESSAGE // 2
    return f"{message[:half]}\n[… {surplus} characters left out …]\n{message[-half:]}"
