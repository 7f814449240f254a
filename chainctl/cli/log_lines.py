"""Log lines in; coloured text or one JSON object a line on stdout out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from chainctl.cli.console import has_color
from chainctl.deploy.state import ObservedState
from chainctl.deploy.target import LogLine
from chainctl.errors import UsageError
from chainctl.wire.log_line import parse_event

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COLORS = (36, 33, 35, 32, 34, 31)
_DIM, _OFF = "\x1b[2m", "\x1b[0m"


def seconds_of(duration: str) -> float:
    """Turn "90s", "10m", "4h" or "2d" into seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", duration.strip())
    if match is None:
        raise UsageError(f"{duration!r} is no duration", hint="write it as 90s, 10m, 4h or 2d.")
    return float(match[1]) * _UNITS[match[2] or "s"]


def require_chainlets(wanted: Iterable[str], observed: ObservedState) -> None:
    """Check that a chain has the chainlets whose lines are wanted. Raises UsageError naming those it has."""
    known = sorted({service.chainlet for service in observed.services})
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"{observed.chain} has no chainlet called {name}", hint=f"it has {', '.join(known)}."
            )


def print_lines(lines: Iterator[LogLine], *, as_json: bool) -> None:
    """Print lines as they come."""
    colors: dict[str, int] = {}
    for line in lines:
        color = colors.setdefault(line.chainlet, _COLORS[len(colors) % len(_COLORS)])
        sys.stdout.write(_json(line) if as_json else _text(line, color, is_colored=has_color(sys.stdout)))
        sys.stdout.flush()


def _text(line: LogLine, color: int, *, is_colored: bool) -> str:
    """Every line of a message begins with time and name, so that it can be searched for."""
    time = datetime.fromtimestamp(line.time, UTC).strftime("%H:%M:%S.%f")[:-3]
    name = f"\x1b[{color}m{line.chainlet}\x1b[0m" if is_colored else line.chainlet
    event = parse_event(line.text)
    first, *rest = (line.text if event is None else event.text).split("\n")
    if event is not None and event.request_id and is_colored:
        first = f"{first} {_DIM}{event.request_id}{_OFF}"
    return "".join(f"{time} {name} | {text}\n" for text in (first, *rest))


def _json(line: LogLine) -> str:
    """One object a line: what the service told of an event, under the names that all lines have."""
    value = {"time": line.time, "chainlet": line.chainlet, "service": line.service, "text": line.text}
    event = parse_event(line.text)
    if event is not None:
        told = {"level": event.level, "logger": event.logger, "stream": event.stream}
        ids = {"request_id": event.request_id, "trace_id": event.trace_id}
        value |= {"text": event.message, **{k: v for k, v in (told | ids).items() if v}}
    return json.dumps(value) + "\n"
