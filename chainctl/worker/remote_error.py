"""An error answer of another service in; the exception that the caller sees out."""

from __future__ import annotations

import builtins
import sys
from typing import Optional

from chainctl.errors import GenericRemoteException
from chainctl.wire.fault import RemoteErrorDetail, detail_in, parse_error_body
from chainctl.worker.answer import Answer


class RemoteFault(GenericRemoteException):
    """A call failed for a reason that is no exception of the other side's user code.

    `status` is the HTTP status that the caller's own caller should see.
    """

    def __init__(self, message: str, *, status: int = 502, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.was_retried = False

    @classmethod
    def unreachable(cls, name: str, error: Exception) -> RemoteFault:
        return cls(f"`{name}` cannot be reached: {error}", status=503)

    @classmethod
    def circuit_open(cls, name: str) -> RemoteFault:
        return cls(f"`{name}` failed too often: it is not called for some seconds", status=503)

    @classmethod
    def broken(cls, name: str, error: Exception) -> RemoteFault:
        return cls(f"`{name}` broke off: {error}", status=502)


# A KeyError prints the repr of its text, which makes one long line of a report.
_READABLE_KEY_ERROR: type[KeyError] = type(
    "KeyError", (KeyError,), {"__str__": Exception.__str__, "__module__": builtins.__name__}
)


def error_of(name: str, answer: Answer) -> Exception:
    """Make the exception for an error answer of a service.

    It has the class of the original where that is a built-in or already imported here and can be
    made from one string; else it is a GenericRemoteException.
    """
    error = parse_error_body(bytes(answer.body))
    detail = detail_in(error)
    if detail is None:
        return RemoteFault(f"`{name}` answered {answer.status}: {error['message']}")
    text = _report(name, answer.status, detail)
    cls = _class_of(detail)
    try:
        return cls(text) if cls is not None else GenericRemoteException(text)
    except Exception:  # noqa: BLE001  # the user's class may do anything when it is made
        return GenericRemoteException(text)


def raised_in_stream(name: str, body: bytes) -> Exception:
    """Make the exception for an error that ended a stream."""
    return error_of(name, Answer(500, body=body))


def _report(name: str, status: int, detail: RemoteErrorDetail) -> str:
    lines = detail.format().splitlines()
    body = "\n".join(f"│   {line}" for line in lines[:-1])
    return (
        "(showing chained remote errors, root error at the bottom)\n"
        f"├─ Error calling dependency chainlet `{name}`, HTTP status={status}.\n{body}\n╰   {lines[-1]}"
    )


def _class_of(detail: RemoteErrorDetail) -> Optional[type[Exception]]:
    module = sys.modules.get(detail.exception_module_name or builtins.__name__)
    cls = getattr(module, detail.exception_cls_name, None)
    if cls is KeyError:
        return _READABLE_KEY_ERROR
    return cls if isinstance(cls, type) and issubclass(cls, Exception) else None
