"""A plan in, a file with it out, and back."""

from __future__ import annotations

from pathlib import Path

from chainctl.errors import UsageError
from chainctl.workflows.plan_file import PlanFile, parse_plan_file, plan_file_text


def write_plan_file(path: Path, plan: PlanFile) -> None:
    """Replace a plan file. Raises UsageError where none can be written."""
    try:
        path.write_text(plan_file_text(plan))
    except OSError as error:
        raise UsageError(
            f"{path} can not be written: {error.strerror}", hint="name a file in a directory of yours."
        ) from error


def read_plan_file(path: Path) -> PlanFile:
    """Read a plan file. Raises UsageError where there is none."""
    try:
        return parse_plan_file(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(
            f"{path} can not be read: {error.strerror}", hint="write one: `chainctl plan FILE --out PLAN`."
        ) from error
