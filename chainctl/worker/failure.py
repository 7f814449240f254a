"""An exception that a call of user code ended with in; its error answer, and the text for the log, out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Optional

from chainctl.calls.remote_error import RemoteFault
from chainctl.wire.error_detail import Clean, RemoteErrorDetail, origin_of, status_set_by
from chainctl.wire.error_report import local_report
from chainctl.wire.fault import Fault, detail_body
from chainctl.worker.redaction import redact

_OWN_HEADERS = re.compile(
    r"(content-|transfer-|x-chainctl-)|(connection|keep-alive|upgrade|te|trailer|date|server)$"
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def fault_of(error: BaseException, *, chainlet: str = "", clean: Clean = redact) -> Fault:
    """Make the error answer for what the code of a chainlet raised.

    The status is the one that user code set, here or in a service below; else 504 for a
    TimeoutError, that of the fault for a failed call, 500 for the rest. A failed call keeps its kind.
    """
    kind = _kind(error)
    detail = RemoteErrorDetail.of(error, chainlet=chainlet or None, clean=clean)
    body = detail_body(detail, kind)
    return Fault(_status(error), kind, detail.exception_message, body, _headers(error))


def log_text(error: BaseException, *, chainlet: str = "", clean: Clean = redact) -> str:
    """Render an exception for the log of the service that raised it: user frames, causes, hops, no secrets."""
    return local_report(RemoteErrorDetail.of(error, chainlet=chainlet or None, clean=clean))


def _kind(error: BaseException) -> str:
    origin = origin_of(error)
    if origin is not None:
        return origin.kind or "user"
    return error.kind if isinstance(error, RemoteFault) else "user"


def _status(error: BaseException) -> int:
    written = status_set_by(error)
    if written is not None:
        return written
    if isinstance(error, RemoteFault):
        return error.status
    return 504 if isinstance(error, (TimeoutError, asyncio.TimeoutError)) else 500


def _headers(error: BaseException) -> Mapping[str, str]:
    """The headers that an exception asks for, as far as they are the user's to set."""
    if isinstance(error, RemoteFault):
        return {"retry-after": f"{error.retry_after_sec:.0f}"} if error.retry_after_sec is not None else {}
    given: Optional[object] = getattr(error, "headers", None) if status_set_by(error) is not None else None
    if not isinstance(given, Mapping):
        return {}
    headers = {str(name).lower(): str(value) for name, value in given.items()}
    return {name: value for name, value in headers.items() if _is_allowed(name, value)}


def _is_allowed(name: str, value: str) -> bool:
    is_header = _TOKEN.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
    return is_header and _OWN_HEADERS.match(name) is None
