"""An edit that cannot be taken on; what is told of it, and what would help instead."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional

from chainctl.wire.fault import user_frames
from chainctl.worker.redaction import redact

Next = Optional[Literal["reimport", "reinit", "restart"]]
_LONGEST_TRACEBACK = 50


@dataclass
class Refused(Exception):
    """What is wrong, and where in the user's sources.

    `next` is the smallest action that would help, None when it is the user's error and none does.
    """

    message: str
    next: Next
    path: Optional[str] = None
    line: Optional[int] = None
    traceback: Sequence[str] = ()

    def __str__(self) -> str:
        return self.message

    def as_json(self) -> dict[str, Any]:
        error = {
            "message": self.message,
            "path": self.path,
            "line": self.line,
            "traceback": list(self.traceback),
        }
        return {"ok": False, "next": self.next, "error": error}


def refusal_of(error: BaseException, files: Mapping[str, str], texts: Mapping[str, str]) -> Refused:
    """Describe what the user's edit raised. `files` maps file names to paths in the chain, `texts` those to texts."""
    if isinstance(error, Refused):
        return error
    message = redact("".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1])
    if isinstance(error, SyntaxError) and error.filename in files:
        return Refused(message, None, files.get(error.filename or ""), error.lineno)
    frames = user_frames(error)[-_LONGEST_TRACEBACK:]
    first = next((at for at, f in enumerate(frames) if f.filename in files), 0)
    frames = frames[first:]  # what comes before is how an import is made
    places = [f for f in frames if f.filename in files]
    place = places[-1] if places else None
    path = files.get(place.filename) if place is not None else None
    lines = [redact(line) for f in frames for line in _lines(f, files, texts)]
    return Refused(message, None, path, place.lineno if place is not None else None, lines)


def _lines(frame: traceback.FrameSummary, files: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """A frame as Python prints it, with the line as the edit has it: nothing else knows that text yet."""
    path = files.get(frame.filename, frame.filename)
    text = texts.get(path)
    number = frame.lineno or 0
    lines = text.splitlines() if text is not None else []
    line = lines[number - 1].strip() if 0 < number <= len(lines) else frame.line
    return [f'  File "{path}", line {number}, in {frame.name}', *([f"    {line}"] if line else [])]
