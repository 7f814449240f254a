"""An error that crosses a process border: its JSON form, made of an exception and turned back into one."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pydantic

_FRAMEWORK = str(Path(__file__).resolve().parent.parent) + os.sep
_MAX_FRAMES = 50


class StackFrame(pydantic.BaseModel):
    """One line of a traceback."""

    filename: str
    lineno: Optional[int] = None
    name: str
    line: Optional[str] = None


class RemoteErrorDetail(pydantic.BaseModel):
    """What a caller learns of an exception in a remote chainlet: type, message, the user's frames."""

    exception_cls_name: str
    exception_module_name: Optional[str] = None
    exception_message: str
    user_stack_trace: list[StackFrame] = []

    @classmethod
    def of(cls, error: BaseException) -> RemoteErrorDetail:
        """Describe an exception without the framework's own frames."""
        return cls(
            exception_cls_name=type(error).__name__,
            exception_module_name=type(error).__module__,
            exception_message=_message(error),
            user_stack_trace=[
                StackFrame(filename=f.filename, lineno=f.lineno, name=f.name, line=f.line)
                for f in user_frames(error)
            ],
        )

    def format(self) -> str:
        """Render it as Python renders a traceback."""
        frames = [(f.filename, f.lineno or 0, f.name, f.line) for f in self.user_stack_trace]
        lines = traceback.StackSummary.from_list(frames).format()
        shown = f"{self.exception_cls_name}: {self.exception_message}"
        return f"Chainlet-Traceback (most recent call last):\n{''.join(lines)}{shown}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the user's class may do anything when it is printed
        return "<the message cannot be printed>"


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an exception that are not the framework's or the machinery below it."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not _is_machinery(f.filename)][-_MAX_FRAMES:]


def _is_machinery(filename: str) -> bool:
    inside = filename.startswith((_FRAMEWORK, "<frozen importlib"))
    return inside or filename.endswith(("concurrent/futures/thread.py", "asyncio/threads.py"))


def error_body(kind: str, message: str, **more: Any) -> bytes:
    """The JSON body of an answer that is an error: `{"error": {"kind", "message", …}}`."""
    return json.dumps({"error": {"kind": kind, "message": message, **more}}, default=str).encode()


def user_error_body(error: BaseException) -> bytes:
    """The JSON body for an exception that user code raised."""
    detail = RemoteErrorDetail.of(error)
    message = f"{detail.exception_cls_name}: {detail.exception_message}"
    return error_body("user", message, **detail.model_dump())


def parse_error_body(body: bytes) -> dict[str, Any]:
    """Read an error answer of ours or of a stranger; always returns a `message`."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {"message": body[:2000].decode(errors="replace").strip() or "empty answer"}
    return error if isinstance(error, dict) and "message" in error else {"message": str(error)}


def detail_in(error: dict[str, Any]) -> Optional[RemoteErrorDetail]:
    """The exception described in a parsed error answer, None when it describes none."""
    names: Sequence[str] = list(RemoteErrorDetail.model_fields)
    try:
        return RemoteErrorDetail.model_validate({k: v for k, v in error.items() if k in names})
    except pydantic.ValidationError:
        return None
