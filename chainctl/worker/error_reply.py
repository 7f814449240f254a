"""What went wrong in a call in; the Reply that says so out."""

from __future__ import annotations

import asyncio
import logging
from typing import Optional

from chainctl.calls.retry import RETRIED_HEADER
from chainctl.telemetry.span import Span
from chainctl.wire.fault import Fault, invalid_input, invalid_output, overloaded
from chainctl.wire.invalid import InvalidValue
from chainctl.worker.failure import fault_of, log_text
from chainctl.worker.gate import Overloaded
from chainctl.worker.output import OutputMismatch
from chainctl.worker.redaction import redact
from chainctl.worker.worker import Reply

PASSING = (asyncio.CancelledError, GeneratorExit)
"""What ends work from outside, and is no error of user code."""
_LOG = logging.getLogger("chainctl.worker")


def error_reply(
    error: BaseException, chainlet: str, span: Optional[Span] = None, method: str = "run_remote"
) -> Reply:
    """Describe what user code raised, or what a call that it made ended with; it is logged too."""
    fault = error_fault(error, chainlet, method)
    if span is not None:
        span.error = type(error).__name__
    reply = reply_of(fault)
    if getattr(error, "was_retried", False):
        reply.headers = {**reply.headers, RETRIED_HEADER: "1"}
    return reply


def error_fault(error: BaseException, chainlet: str, method: str = "run_remote") -> Fault:
    """Describe an error for its caller, and log it."""
    if isinstance(error, OutputMismatch):
        message = redact(str(error))
        _LOG.error("%s", message)
        return invalid_output(message, error.mismatch, redact)
    _LOG.error("%s raised %s", method, log_text(error, chainlet=chainlet))
    return fault_of(error, chainlet=chainlet)


def input_reply(error: InvalidValue) -> Reply:
    """Name each place that is wrong in a body."""
    return reply_of(invalid_input(error, redact))


def overload_reply(error: Overloaded) -> Reply:
    """Say when to come again; no work was begun."""
    return reply_of(overloaded(str(error), error.retry_after_sec))


def reply_of(fault: Fault) -> Reply:
    return Reply(fault.status, fault.body, headers=fault.headers)
