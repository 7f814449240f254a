"""A path below `/-/` in; what was seen of a service's calls, as JSON or metrics, out."""

from __future__ import annotations

import json
from typing import Any, Optional
from urllib.parse import parse_qs

from chainctl.telemetry.telemetry import SPANS_AT_ONCE, Telemetry
from chainctl.wire.fault import error_body

SCHEMA_VERSION = 1
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"
_TRACE_ID_LENGTH = 32
_MOST_SPANS = 10_000
_LIMIT_DIGITS = 9


def answer_seen(path: str, query: str, telemetry: Telemetry) -> Optional[tuple[int, str, bytes]]:
    """Return status, content type and body of the answer; None where the path is not one of these.

    `/-/spans` takes `trace=HEX` and `limit=N`; `/metrics` and `/-/metrics` take nothing.
    """
    if path in ("/metrics", "/-/metrics"):
        return 200, _METRICS_TYPE, telemetry.metrics_text()
    if path == "/-/spans":
        return _spans(parse_qs(query), telemetry)
    return None


def _spans(given: dict[str, list[str]], telemetry: Telemetry) -> tuple[int, str, bytes]:
    trace, limit = given.get("trace", [""])[-1], given.get("limit", [str(SPANS_AT_ONCE)])[-1]
    if not (limit.isascii() and limit.isdigit() and len(limit) <= _LIMIT_DIGITS):
        return _refused("limit is no number")
    try:
        trace_id = int(trace, 16) if trace and len(trace) <= _TRACE_ID_LENGTH else None
    except ValueError:
        trace_id = None
    if trace and trace_id is None:
        return _refused("trace is no id of up to 32 hexadecimal digits")
    value: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "service": telemetry.service,
        "chainlet": telemetry.chainlet,
        "spans": telemetry.spans(trace_id, min(int(limit), _MOST_SPANS)),
    }
    return 200, _JSON, json.dumps(value).encode()


def _refused(message: str) -> tuple[int, str, bytes]:
    return 400, _JSON, error_body("malformed", message)
