"""Options of `chainctl bench` in; a load plan with what to send out."""

from __future__ import annotations

import json
from pathlib import Path

from chainctl.cli.calling import request_body
from chainctl.cli.log_lines import seconds_of
from chainctl.errors import UsageError
from chainctl.workflows.bench.plan import ARRIVALS, MOST_REQUESTS, MOST_SECONDS, LoadPlan

_CLIENTS = 8
_MOST_AT_ONCE = 256
_DURATION = "10s"
_PATIENCE = "10m"
_MOST_INPUT_BYTES = 1 << 30


def plan_of(
    *,
    clients: int | None,
    rate: float | None,
    arrivals: str,
    duration: str | None,
    requests: int | None,
    warmup: str,
    timeout_sec: float,
    is_insecure: bool,
) -> LoadPlan:
    """Check options and fill in the others. Raises UsageError.

    A load always ends: after 10 s when nothing is said, after 10 min when only a number of requests is.
    """
    if arrivals not in ARRIVALS:
        raise UsageError(f"there are no {arrivals!r} arrivals", hint=f"choose {' or '.join(ARRIVALS)}.")
    wanted = requests or MOST_REQUESTS
    if wanted > MOST_REQUESTS:
        raise UsageError(f"{wanted:,} requests are more than {MOST_REQUESTS:,}", hint="ask for fewer.")
    default = _DURATION if requests is None else _PATIENCE
    duration_sec, warmup_sec = _seconds("--duration", duration or default), _seconds("--warmup", warmup)
    if not duration_sec:
        raise UsageError("--duration is no time at all", hint="write it as 10s or 5m.")
    return LoadPlan(
        url="",
        bodies=(),
        clients=clients or (_CLIENTS if rate is None else _MOST_AT_ONCE),
        rate=rate,
        arrivals=arrivals,
        duration_sec=duration_sec,
        requests=wanted,
        warmup_sec=warmup_sec,
        timeout_sec=timeout_sec,
        is_insecure=is_insecure,
    )


def without_chain(chain: str | None, data: str | None, url: str | None) -> tuple[str | None, str | None]:
    """Tell a chain's name from arguments: with a URL the name may be left out, and arguments come first."""
    if url is not None and chain is not None and data is None and chain[:1] in ("{", "@", "-"):
        return None, chain
    return chain, data


def bodies_of(data: str | None, inputs: Path | None) -> tuple[bytes, ...]:
    """Read what to send: one JSON object as `chainctl call` takes it, or one a line. Raises UsageError."""
    if inputs is None:
        return (request_body(data),)
    if data is not None:
        raise UsageError("there are two sources of arguments", hint="give JSON or `--inputs`, not both.")
    try:
        size = inputs.stat().st_size
        if size > _MOST_INPUT_BYTES:
            raise UsageError(f"{inputs} has {size:,} bytes, more than {_MOST_INPUT_BYTES:,}")
        lines = inputs.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{inputs} cannot be read: {error.strerror}") from error
    bodies = [_object(inputs, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not bodies:
        raise UsageError(f"{inputs} has no line", hint="write one JSON object a line.")
    return tuple(bodies)


def _object(inputs: Path, number: int, line: bytes) -> bytes:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{inputs}:{number} is no JSON: {error}", hint="write one object a line.") from None
    if not isinstance(value, dict):
        raise UsageError(
            f"{inputs}:{number} is no JSON object", hint='name the arguments: {"name": "value"}.'
        )
    return line


def _seconds(option: str, text: str) -> float:
    seconds = seconds_of(text)
    if seconds > MOST_SECONDS:
        raise UsageError(f"{option} {text} is longer than {MOST_SECONDS:g} s", hint="ask for less.")
    return seconds
