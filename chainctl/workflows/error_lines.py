"""The `error` object of a chain's answer in; the lines that tell people where it came from out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainctl.wire.error_report import local_report
from chainctl.wire.fault import detail_in


def error_lines(error: Mapping[str, Any]) -> list[str]:
    """Return the frames of user code over all hops, and each place of the arguments that is wrong.

    The first line of the error is left out: it is the message.
    """
    detail = detail_in(error)
    if detail is None:
        return _problems(error)
    _, *lines = local_report(detail).splitlines() or [""]
    return [*lines, *_problems(error)]


def _problems(error: Mapping[str, Any]) -> list[str]:
    given = error.get("problems")
    listed = given if isinstance(given, list) else []
    return [f"{p.get('path') or '(body)'}: {p.get('message')}" for p in listed if isinstance(p, dict)]
