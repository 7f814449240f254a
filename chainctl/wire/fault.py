"""A failure of a call in; its HTTP answer out, and back: what an error answer says.

The body is `{"error": {"kind", "message", …}}`. Kinds that the framework gives have a function each; an
exception of user code has the kind `user` and is described by a RemoteErrorDetail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import pydantic

from chainctl.wire.error_detail import (
    LONGEST_LINE,
    LONGEST_MESSAGE,
    Clean,
    RemoteErrorDetail,
    StackFrame,
    shortened,
    unchanged,
)
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.stack_frames import user_frames

__all__ = [
    "Fault",
    "RemoteErrorDetail",
    "StackFrame",
    "cancelled",
    "circuit_open",
    "deadline",
    "detail_body",
    "detail_in",
    "error_body",
    "invalid_input",
    "invalid_output",
    "malformed",
    "not_ready",
    "other_generation",
    "overloaded",
    "parse_error_body",
    "too_large",
    "unsupported_encoding",
    "unsupported_media_type",
    "upgrade_required",
    "user_error_body",
    "user_frames",
]

NOT_STARTED_HEADER = "x-chainctl-not-started"
_LARGEST_BODY = 8 << 20
_LONGEST_PAGE = 2000
_MOST_PROBLEMS = 100


@dataclass(frozen=True)
class Fault:
    """An error answer: its HTTP status, body, and the headers that it has besides its content type."""

    status: int
    kind: str
    message: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, status: int, kind: str, message: str, headers: Optional[Mapping[str, str]] = None, **more: Any
    ) -> Fault:
        return cls(status, kind, message, error_body(kind, message, **more), headers or {})


def deadline(message: str) -> Fault:
    """The time that the caller gave ran out."""
    return Fault.of(504, "deadline", message)


def overloaded(message: str, retry_after_sec: int = 1) -> Fault:
    """Too many calls wait already; no work was begun."""
    return Fault.of(503, "overloaded", message, _not_started(retry_after_sec))


def not_ready(chainlet: str, retry_after_sec: int = 1) -> Fault:
    """The chainlet is still being created; no work was begun."""
    return Fault.of(503, "not_ready", f"{chainlet} is starting", _not_started(retry_after_sec))


def other_generation(chainlet: str, serves: Mapping[str, str]) -> Fault:
    """This replica has other code of the chain than the call runs with; no work was begun.

    `serves` are the headers that tell which it has.
    """
    message = f"this replica of {chainlet} serves other calls, while the chain is edited"
    return Fault.of(503, "other_generation", message, {NOT_STARTED_HEADER: "1", **serves})


def circuit_open(chainlet: str, retry_after_sec: int = 1) -> Fault:
    """A service that was to be called fails so often that it is left alone for a while."""
    message = f"`{chainlet}` fails too often and is left alone for a while"
    return Fault.of(503, "circuit_open", message, {"retry-after": str(retry_after_sec)})


def cancelled(message: str = "the caller went away") -> Fault:
    """Nobody waits for the answer any more."""
    return Fault.of(499, "cancelled", message)


def malformed(message: str) -> Fault:
    """The body is not well-formed in its format."""
    return Fault.of(400, "malformed", message)


def invalid_input(error: InvalidValue, clean: Clean = unchanged) -> Fault:
    """Arguments do not fit their types, or their bytes are not even well-formed.

    `clean` takes secrets out of what the user's own validators say.
    """
    status, kind = (400, "malformed") if error.is_malformed else (422, "invalid_input")
    return Fault.of(status, kind, _bounded(clean(str(error))), problems=_problems(error, clean))


def invalid_output(message: str, error: Optional[InvalidValue] = None, clean: Clean = unchanged) -> Fault:
    """What `run_remote` gave does not fit its annotation; the message says where."""
    problems = _problems(error, clean) if error is not None else []
    return Fault.of(500, "invalid_output", _bounded(clean(message)), problems=problems)


def too_large(limit: int) -> Fault:
    """The body has more bytes than the limit."""
    return Fault.of(413, "too_large", f"the body is larger than the limit of {limit} bytes")


def unsupported_media_type(given: str, accepted: Sequence[str] = ("application/json",)) -> Fault:
    """The body is in a format that is not read here."""
    shown = shortened(given, LONGEST_LINE)
    return Fault.of(415, "unsupported_media_type", f"{shown!r}: send {' or '.join(accepted)}")


def unsupported_encoding(given: str) -> Fault:
    """The body is compressed."""
    shown = shortened(given, LONGEST_LINE)
    return Fault.of(415, "unsupported_media_type", f"content-encoding {shown!r}: send the body as it is")


def upgrade_required(chainlet: str) -> Fault:
    """What is called by WebSocket was called by POST."""
    message = f"{chainlet} is called by WebSocket, not by POST"
    return Fault.of(426, "upgrade_required", message, {"upgrade": "websocket"})


def _not_started(retry_after_sec: int) -> dict[str, str]:
    return {NOT_STARTED_HEADER: "1", "retry-after": str(retry_after_sec)}


def _problems(error: InvalidValue, clean: Clean) -> list[dict[str, str]]:
    return [
        {"path": _bounded(clean(m.path)), "message": _bounded(clean(m.message))}
        for m in error.mismatches[:_MOST_PROBLEMS]
    ]


def _bounded(text: str) -> str:
    return shortened(text, LONGEST_MESSAGE)


def error_body(kind: str, message: str, **more: Any) -> bytes:
    """The JSON body of an answer that is an error: `{"error": {"kind", "message", …}}`."""
    return json.dumps({"error": {"kind": kind, "message": message, **more}}, default=str).encode()


def detail_body(detail: RemoteErrorDetail, kind: str = "user") -> bytes:
    """The JSON body for an exception that is described."""
    of_class = f"{detail.exception_cls_name}: " if kind == "user" else ""
    always = {"exception_cls_name", "exception_module_name", "exception_message", "user_stack_trace"}
    values = detail.model_dump(mode="json")
    told = {name: value for name, value in values.items() if value or name in always}
    return error_body(kind, of_class + detail.exception_message, **told)


def user_error_body(
    error: BaseException, *, chainlet: Optional[str] = None, clean: Clean = unchanged
) -> bytes:
    """The JSON body for an exception that user code raised, in the chainlet that is named."""
    return detail_body(RemoteErrorDetail.of(error, chainlet=chainlet, clean=clean))


def parse_error_body(body: bytes) -> dict[str, Any]:
    """Read an error answer of ours or of a stranger; always returns a printable `message` and a `kind`."""
    try:
        error = json.loads(body)["error"] if len(body) <= _LARGEST_BODY else None
    except (ValueError, KeyError, TypeError, RecursionError):
        error = None
    if error is None:
        page = body[: 4 * _LONGEST_PAGE].decode(errors="replace").strip()[:_LONGEST_PAGE]
        return {"kind": "", "message": shortened(page, _LONGEST_PAGE) or "empty answer"}
    if not isinstance(error, dict) or "message" not in error:
        error = {**error, "message": error} if isinstance(error, dict) else {"message": error}
    kind = error.get("kind")
    return {
        **error,
        "kind": shortened(kind, LONGEST_LINE) if isinstance(kind, str) else "",
        "message": _bounded(_text(error["message"])),
    }


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except RecursionError:
        return "<the message cannot be printed>"


def detail_in(error: Mapping[str, Any]) -> Optional[RemoteErrorDetail]:
    """The exception described in a parsed error answer, None when it describes none."""
    given = {name: error[name] for name in RemoteErrorDetail.model_fields if name in error}
    try:
        return RemoteErrorDetail.model_validate(given).bounded()
    except (pydantic.ValidationError, RecursionError):
        return None
