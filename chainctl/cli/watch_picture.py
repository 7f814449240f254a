"""The view of a watched chain and the size of a terminal in; the text that fills it, out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainctl.cli.watch_view import Row, WatchView

if TYPE_CHECKING:
    from rich.text import Text

KEYS = "r restart   b rebuild   c call again   q quit"
_HEADER = ("CHAINLET", "SERVES", "CALLS/S", "ERRORS/S", "LAST ACTION")
_MOST_REFUSED = 12
_FEWEST_LINES = 3


def picture(view: WatchView, width: int, height: int) -> Text:
    """Draw it: what serves on top, what is wrong with the last edit, the newest lines, the keys in the last line."""
    from rich.text import Text

    head = [(_title(view), "bold"), ("", ""), *_table(view.rows)]
    wrong = [(line, "red" if number == 0 else "") for number, line in enumerate(_refused(view))]
    foot = [(f"{KEYS}   {view.doing}" if view.doing else KEYS, "dim")]
    room = height - len(head) - len(foot) - 2
    wrong = wrong[: max(room - _FEWEST_LINES, 1)]
    left = max(room - len(wrong), 0)
    lines = [(line, "") for line in view.lines[-left:]] if left else []
    blank = [("", "")] * (left - len(lines))
    everything = [*head, ("", ""), *wrong, *lines, *blank, ("", ""), *foot][-height:]
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for number, (line, style) in enumerate(everything):
        text.append(("\n" if number else "") + _cut(line, width), style)
    return text


def _title(view: WatchView) -> str:
    pushed = "as pushed" if view.url else "not pushed yet"
    edit = f"edit {view.generation}" if view.generation else pushed
    return "  ".join(part for part in (view.chain, view.url, view.target, edit) if part)


def _table(rows: Sequence[Row]) -> list[tuple[str, str]]:
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    return [(line, "" if number else "dim") for number, line in enumerate(lines)]


def _cells(row: Row) -> tuple[str, ...]:
    serves = f"edit {row.generation}" if row.generation else "image"
    return row.chainlet, serves, _rate(row.calls), _rate(row.errors), row.action or "-"


def _refused(view: WatchView) -> list[str]:
    if not view.refused:
        return []
    first, *rest = view.refused
    kept = rest[: _MOST_REFUSED - 1]
    left = len(rest) - len(kept)
    return [
        f"not served: {first}",
        *(f"  {x}" for x in kept),
        *([f"  and {left} lines more"] * bool(left)),
        "",
    ]


def _rate(per_sec: float | None) -> str:
    return "-" if per_sec is None else f"{per_sec:.1f}" if per_sec else "0"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"
