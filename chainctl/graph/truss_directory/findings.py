"""What is wrong in a file, place by place, in; the problems in the order of their places out."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.errors import Problem

CONFIG = "config.yaml"
UNREADABLE = "CH1205"
NOT_ACCEPTED = "CH1206"
MISSING = "CH1207"
SECRET_VALUE = "CH1209"  # a code, not a value


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a text. Line and columns count from 1; `end_column` is exclusive.

    What is not `is_quotable` may hold a secret: its line is named, but no problem points at it.
    """

    line: int = 1
    column: int = 1
    end_column: int = 0
    is_quotable: bool = True


START = Place()


class Findings:
    """Collects the problems of one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._problems: list[Problem] = []

    def add(
        self, place: Place, message: str, *, help: str = "", note: str = "", code: str = NOT_ACCEPTED,
        severity: str = "error",
    ) -> None:  # fmt: skip
        """Note one thing that is wrong."""
        if place.is_quotable:
            where = (place.line, place.column, place.end_column)
        else:
            where, message = (0, 0, 0), f"line {place.line}: {message}"
        advice = help or f"write another value; `chainctl explain {code}` says which there may be"
        self._problems.append(Problem(code, _printable(message), self.path, *where, note, advice, severity))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that was found, each once."""
        unique = dict.fromkeys(self._problems)
        return tuple(sorted(unique, key=lambda p: (p.path, p.line, p.column, p.code, p.message)))

    @property
    def has_errors(self) -> bool:
        return any(problem.is_error for problem in self._problems)


def _printable(message: str) -> str:
    """One line, whatever a key or a value holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
