"""Spans in; the JSON of an OTLP export request out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from chainctl.telemetry.span import Span
from chainctl.version import __version__

_KINDS = {"server": 2, "client": 3}
_ERROR = 2
_LEAST_SERVER_ERROR = 500
_LEAST_CLIENT_ERROR = 400
_TIMES = (
    "queue_ns",
    "decode_ns",
    "preprocess_ns",
    "run_ns",
    "postprocess_ns",
    "encode_ns",
    "first_byte_ns",
    "read_ns",
)


def export_request(spans: Iterable[Span], resource: Mapping[str, str]) -> bytes:
    """Return the body of a POST to `/v1/traces`. The parts of a span are attributes `chainctl.…_ns`."""
    value = {
        "resourceSpans": [
            {
                "resource": {"attributes": [_attribute(name, text) for name, text in resource.items()]},
                "scopeSpans": [
                    {
                        "scope": {"name": "chainctl", "version": __version__},
                        "spans": [_span(span) for span in spans],
                    }
                ],
            }
        ]
    }
    return json.dumps(value, separators=(",", ":")).encode()


def _span(span: Span) -> dict[str, Any]:
    value: dict[str, Any] = {
        "traceId": f"{span.trace_id:032x}",
        "spanId": f"{span.span_id:016x}",
        "name": span.name,
        "kind": _KINDS.get(span.kind, 1),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.start_ns + span.total_ns),
        "attributes": _attributes(span),
        "status": _status(span),
    }
    if span.parent_id:
        value["parentSpanId"] = f"{span.parent_id:016x}"
    return value


def _attributes(span: Span) -> list[dict[str, Any]]:
    attributes = [_attribute("chainctl.request_id", span.request_id)] if span.request_id else []
    attributes += [_attribute(f"chainctl.{name}", taken) for name in _TIMES if (taken := getattr(span, name))]
    if span.status:
        attributes.append(_attribute("http.response.status_code", span.status))
    if span.attempts > 1:
        attributes.append(_attribute("http.request.resend_count", span.attempts - 1))
    if span.items:
        attributes.append(_attribute("chainctl.items", span.items))
    if span.error:
        attributes.append(_attribute("error.type", span.error.partition(":")[0]))
    return attributes


def _status(span: Span) -> dict[str, Any]:
    """A server answers 4xx because of its caller: only for clients is that an error."""
    least = _LEAST_SERVER_ERROR if span.kind == "server" else _LEAST_CLIENT_ERROR
    if not span.error and span.status and span.status < least:
        return {}
    if span.kind == "server" and 0 < span.status < least:
        return {}
    return {"code": _ERROR, "message": span.error}


def _attribute(name: str, value: Any) -> dict[str, Any]:
    typed = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
    return {"key": name, "value": typed}
