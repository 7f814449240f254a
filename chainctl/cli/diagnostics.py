"""Problems in; what a good compiler would print about them out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import Problem


@dataclass(frozen=True, slots=True)
class Palette:
    """Control codes for the parts of a diagnostic; all empty where colour is off."""

    error: str = ""
    warning: str = ""
    strong: str = ""
    frame: str = ""
    off: str = ""

    @classmethod
    def colored(cls) -> Palette:
        return cls("\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[1;34m", "\x1b[0m")


PLAIN = Palette()


def diagnostics_text(problems: Iterable[Problem], base: Path, palette: Palette = PLAIN) -> str:
    """Render problems, each with its source line and carets. Paths are shown relative to `base`."""
    return "\n\n".join(diagnostic_text(problem, base, palette) for problem in problems)


def diagnostic_text(problem: Problem, base: Path, palette: Palette = PLAIN) -> str:
    """Render one problem."""
    color = palette.error if problem.is_error else palette.warning
    head = f"{color}{problem.severity}[{problem.code}]{palette.off}{palette.strong}: {problem.message}{palette.off}"
    width = len(str(problem.line)) if problem.line else 1
    lines = [head, *_frame(problem, base, width, color, palette)]
    for label, text in (("note", problem.note), ("help", problem.help)):
        if text:
            first, *rest = text.splitlines()
            lines.append(
                f"{' ' * width} {palette.frame}={palette.off} {palette.strong}{label}{palette.off}: {first}"
            )
            lines += [f"{' ' * width}         {line}" for line in rest]
    return "\n".join(lines)


def shown_path(path: str, base: Path) -> str:
    """A path relative to `base` where it is below it."""
    return str(Path(path).relative_to(base)) if path and Path(path).is_relative_to(base) else path


def _frame(problem: Problem, base: Path, width: int, color: str, palette: Palette) -> list[str]:
    if not problem.path:
        return []
    pad = " " * width
    place = shown_path(problem.path, base) + "".join(f":{n}" for n in (problem.line, problem.column) if n)
    lines = [f"{pad}{palette.frame}-->{palette.off} {place}"]
    source = _source_line(problem.path, problem.line)
    if source is None:
        return lines
    bar = f"{palette.frame}|{palette.off}"
    lines += [f"{pad} {bar}", f"{palette.frame}{problem.line}{palette.off} {bar} {source.expandtabs(4)}"]
    if problem.column:
        lines.append(f"{pad} {bar} {color}{_carets(source, problem)}{palette.off}")
    return lines


def _carets(source: str, problem: Problem) -> str:
    end = max(problem.end_column, problem.column + 1)
    before, through = _width(source[: problem.column - 1]), _width(source[: end - 1])
    return " " * before + "^" * max(1, through - before)


def _width(text: str) -> int:
    """How many columns a terminal takes: two for wide characters, none for combining ones."""
    return sum(_width_of(character) for character in text.expandtabs(4))


def _width_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _source_line(path: str, line: int) -> str | None:
    """Read one line, counted as Python counts: a form feed ends none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    return lines[line - 1].rstrip() if 0 < line <= len(lines) else None
