"""One JSON line of the engine's build stream in; what it says, as one value, out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from chainctl.adapters.docker.trace import Trace, decode_trace


@dataclass(frozen=True, slots=True)
class Traced:
    """BuildKit reports what changed."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Wrote:
    """The classic builder, or an instruction that it runs, wrote this."""

    text: str


@dataclass(frozen=True, slots=True)
class Built:
    """The image is there; `image_id` is its digest."""

    image_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The build ended with this error."""

    message: str


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing that matters to a build's progress, such as the progress of a download."""


Message = Traced | Wrote | Built | Failed | Other


def decode_message(line: bytes) -> Message:
    """Return what a line says. Unknown lines are Other: the stream's end tells if it worked."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return Other()
    match said:
        case {"errorDetail": {"message": str(message)}} | {"error": str(message)}:
            return Failed(message)
        case {"message": str(message)}:
            return Failed(message)
        case {"id": "moby.buildkit.trace", "aux": str(aux)}:
            return _traced(aux)
        case {"aux": {"ID": str(image_id)}}:
            return Built(image_id)
        case {"stream": str(text)}:
            return Wrote(text)
        case _:
            return Other()


def _traced(aux: str) -> Message:
    """Losing a report costs a line of progress, not the build."""
    try:
        return Traced(decode_trace(base64.b64decode(aux)))
    except ValueError:
        return Other()
