"""The result of a command in; its one form on stdout, text or JSON, out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

FORMAT_VERSION = 1


def print_result(text: str, value: dict[str, Any], *, as_json: bool) -> None:
    """Print a result: text for people, or one JSON object with `format_version` for programs."""
    sys.stdout.write(json_text(value) if as_json else _ended(text))
    sys.stdout.flush()


def json_text(value: dict[str, Any]) -> str:
    """Render a versioned JSON object. Readers must accept keys that they do not know."""
    return json.dumps({"format_version": FORMAT_VERSION, **value}, indent=2, default=str) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Line up columns with two spaces between them, as plain text."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def in_one_line(text: str) -> str:
    """Write what can not be seen, such as line breaks and what moves a terminal's cursor, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
