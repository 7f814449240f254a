"""What went wrong in a call in; the Reply that says so out."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any, Optional

from chainctl.wire.fault import error_body, user_error_body, user_frames
from chainctl.wire.invalid import InvalidValue
from chainctl.worker.gate import Overloaded
from chainctl.worker.output import OutputMismatch
from chainctl.worker.remote_error import RemoteFault
from chainctl.worker.span import Span
from chainctl.worker.worker import Reply

PASSING = (asyncio.CancelledError, GeneratorExit)
"""What ends work from outside, and is no error of user code."""
_LOG = logging.getLogger("chainctl.worker")


def error_reply(error: BaseException, span: Optional[Span] = None) -> Reply:
    """Describe what user code raised, or what a call that it made ended with; it is logged too."""
    status = _status(error)
    if span is not None:
        span.error = type(error).__name__
    headers = {"x-chainctl-retried": "1"} if getattr(error, "was_retried", False) else {}
    own: Any = getattr(error, "headers", None)
    if isinstance(own, dict):
        headers.update({str(name): str(value) for name, value in own.items()})
    return Reply(status, error_body_of(error), headers=headers)


def error_body_of(error: BaseException) -> bytes:
    """The JSON body for an error; it is logged."""
    if isinstance(error, OutputMismatch):
        _LOG.error("%s", error)
        return error_body("invalid_output", str(error))
    frames = "".join(traceback.format_list(user_frames(error)))
    _LOG.error("run_remote raised %s: %s\n%s", type(error).__name__, error, frames.rstrip())
    if isinstance(error, RemoteFault):
        return error_body("dependency", str(error))
    return user_error_body(error)


def input_reply(error: InvalidValue) -> Reply:
    """Name each place that is wrong in a body."""
    status, kind = (400, "malformed") if error.is_malformed else (422, "invalid_input")
    problems = [{"path": m.path, "message": m.message} for m in error.mismatches]
    return Reply(status, error_body(kind, str(error), problems=problems))


def overload_reply(error: Overloaded) -> Reply:
    """Say when to come again; no work was begun."""
    body = error_body("overloaded", str(error))
    return Reply(503, body, not_started=True, headers={"retry-after": str(error.retry_after_sec)})


def _status(error: BaseException) -> int:
    if isinstance(error, RemoteFault):
        return error.status
    if isinstance(error, TimeoutError):
        return 504
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status <= 599 else 500
