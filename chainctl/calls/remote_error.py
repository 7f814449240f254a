"""An error answer of another service in; the exception that the caller sees out."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from typing import Optional

from chainctl.calls.answer import Answer
from chainctl.errors import GenericRemoteException
from chainctl.sdk.http_error import HTTPError
from chainctl.wire.error_detail import Origin, with_origin
from chainctl.wire.error_report import error_report
from chainctl.wire.fault import RemoteErrorDetail, detail_in, parse_error_body

_USER_KINDS = ("user", "")  # a stranger that describes an exception as we do gives no kind
_HANDED_ON = (503, 504)
_NEVER_RAISED = (StopIteration, StopAsyncIteration)  # a coroutine that raises one raises another


class RemoteFault(GenericRemoteException):
    """A call failed for a reason that is no exception of the other side's user code.

    `status` is the HTTP status that the caller's own caller should see, `kind` that of the first
    error answer, `retry_after_sec` how long to wait until another call makes sense. `was_retried`
    says that repeating the call helped nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        hint: str = "",
        kind: str = "dependency",
        retry_after_sec: Optional[float] = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind
        self.retry_after_sec = retry_after_sec
        self.was_retried = False

    @classmethod
    def unreachable(cls, name: str, error: Exception) -> RemoteFault:
        return cls(f"`{name}` cannot be reached: {error}", status=503)

    @classmethod
    def broken(cls, name: str, error: Exception) -> RemoteFault:
        return cls(f"`{name}` broke off: {error}", status=502)

    @classmethod
    def circuit_open(cls, name: str, retry_after_sec: Optional[float] = None) -> RemoteFault:
        message = f"`{name}` fails too often and is left alone for a while"
        return cls(message, status=503, kind="circuit_open", retry_after_sec=retry_after_sec)

    @classmethod
    def overloaded(cls, name: str, retry_after_sec: float) -> RemoteFault:
        message = f"too many calls of `{name}` wait already"
        return cls(message, status=503, kind="overloaded", retry_after_sec=retry_after_sec)


# A KeyError prints the repr of its text, which makes one long line of a report.
_READABLE_KEY_ERROR: type[KeyError] = type(
    "KeyError", (KeyError,), {"__str__": Exception.__str__, "__module__": builtins.__name__}
)


def error_of(name: str, answer: Answer) -> Exception:
    """Make the exception for an error answer of a service.

    It has the class of the original where that is a built-in or already imported here and can be
    made from one string, or from a status and a text; else it is a GenericRemoteException. What is
    no exception of user code is a RemoteFault, and a TimeoutError where the time ran out.
    """
    error = parse_error_body(bytes(answer.body))
    kind: str = error["kind"]
    detail = detail_in(error)
    if detail is None:
        return _fault(f"`{name}` answered {answer.status}: {error['message']}", kind, answer)
    origin = Origin(name, answer.status, kind, detail)
    report = error_report(name, answer.status, detail)
    made = _made(detail, report) if kind in _USER_KINDS else _fault(report, kind, answer)
    return with_origin(made, origin)


def raised_in_stream(name: str, body: bytes) -> Exception:
    """Make the exception for an error that ended a stream."""
    return error_of(name, Answer(500, body=body))


def _fault(text: str, kind: str, answer: Answer) -> Exception:
    if kind == "deadline":
        return TimeoutError(text)
    status = answer.status if answer.status in _HANDED_ON else 502
    return RemoteFault(text, status=status, kind=kind or "dependency", retry_after_sec=_retry_after(answer))


def _retry_after(answer: Answer) -> Optional[float]:
    written = answer.headers.get("retry-after", "")
    return float(written) if written.isascii() and written.isdigit() and len(written) < 9 else None


def _made(detail: RemoteErrorDetail, text: str) -> Exception:
    cls = _class_of(detail)
    for make in _ways(cls, detail.status, text) if cls is not None else ():
        try:
            made = make()
        except Exception:  # noqa: BLE001  # the user's class may do anything when it is made
            continue
        if isinstance(made, Exception):
            return made
    return GenericRemoteException(text)


def _ways(cls: type[Exception], status: Optional[int], text: str) -> Iterator[Callable[[], Exception]]:
    """How an exception of a class may be made, the best way first."""
    if issubclass(cls, HTTPError):
        yield lambda: cls(status or 0, text)
        return
    if status is not None and getattr(cls, "status_code", None) is None:
        yield lambda: cls(status_code=status, detail=text)  # type: ignore[call-arg]  # as web frameworks take it
    yield lambda: cls(text)


def _class_of(detail: RemoteErrorDetail) -> Optional[type[Exception]]:
    """The class that a description names, when it is an exception and its module was imported anyway."""
    module = sys.modules.get(detail.exception_module_name or builtins.__name__)
    cls = getattr(module, "__dict__", {}).get(detail.exception_cls_name)
    if cls is KeyError:
        return _READABLE_KEY_ERROR
    if not isinstance(cls, type) or not issubclass(cls, Exception) or issubclass(cls, _NEVER_RAISED):
        return None
    return cls
