"""A chainlet and the URL that is to stand for it in; nothing out when that answers and takes the same calls."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from chainctl.deploy.interfaces import Interface, Interfaces, interface_changes
from chainctl.errors import UsageError
from chainctl.graph.graph import ChainletSpec

ANSWER_SEC = 5.0
_TAIL = 200


def require_outside(spec: ChainletSpec, url: str, timeout_sec: float = ANSWER_SEC) -> None:
    """Ask a URL for its schemas and compare them with what callers of the chainlet rely on.

    What answers and tells no schemas is taken as it is. Raises UsageError.
    """
    status, body = _schema(spec.name, url, timeout_sec)
    if status in (502, 503, 504):
        raise UsageError(
            f"{url}, which is to stand for {spec.name}, cannot take calls: it answers {status}",
            hint="wait until it is ready, then try again.",
            details=[body[:_TAIL].decode(errors="replace")],
        )
    told = _told(body) if status == 200 else None
    if told is None or spec.is_websocket:
        return
    details = _differences(spec, told)
    if details:
        raise UsageError(
            f"{url} does not take and give what callers of {spec.name} rely on",
            hint=f"name the URL of a chain whose entrypoint has the signature of {spec.name}.",
            details=details,
        )


def _schema(name: str, url: str, timeout_sec: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    try:
        connection = (
            http.client.HTTPSConnection(
                parts.netloc, timeout=timeout_sec, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.netloc, timeout=timeout_sec)
        )
        try:
            connection.request("GET", f"{parts.path}/schema")
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UsageError(
            f"{url}, which is to stand for {name}, does not answer: {error or type(error).__name__}",
            hint="start what answers there, or correct the URL.",
        ) from error


def _told(body: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    try:
        value = json.loads(body)
        inputs, outputs = value["input"], value["output"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (inputs, outputs) if isinstance(inputs, dict) and isinstance(outputs, dict) else None


def _differences(spec: ChainletSpec, told: tuple[dict[str, Any], dict[str, Any]]) -> list[str]:
    """What breaks callers that know the chainlet; whether an answer is a stream no schema tells."""
    kinds = (spec.is_stream, spec.takes_stream)
    here = Interface(spec.name, spec.input_schema, spec.output_schema, *kinds)
    there = Interface(spec.name, *told, *kinds)
    report = interface_changes(_alone(here), _alone(there))
    return list(_breaking(change.text for change in report.changes if change.is_breaking))


def _breaking(texts: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(texts)


def _alone(interface: Interface) -> Interfaces:
    return Interfaces(interface.chainlet, (interface,))
