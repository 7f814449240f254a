"""Where secrets have values and which services read them, in; one row a secret, as text or JSON, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainctl.cli.output import table

NOWHERE = "no value"


@dataclass(frozen=True, slots=True)
class Reader:
    """A chainlet that reads a secret, as of its chain's last release; `is_older`: with an older value."""

    chain: str
    target: str
    chainlet: str
    is_older: bool

    def __str__(self) -> str:
        return f"{self.chain}/{self.chainlet}{' (older value)' if self.is_older else ''}"


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """A secret by name: the place that its value comes from, and who reads it. Never its value."""

    name: str
    place: str
    readers: tuple[Reader, ...]


def secret_rows(places: Mapping[str, str], readers: Mapping[str, Iterable[Reader]]) -> list[ListedSecret]:
    """Join what is kept with what is read; sorted by name."""
    return [
        ListedSecret(name, places.get(name, NOWHERE), tuple(readers.get(name, ())))
        for name in sorted({*places, *readers})
    ]


def secrets_text(rows: Iterable[ListedSecret]) -> str:
    """Render secrets as a table."""
    lines = [[row.name, row.place, ", ".join(map(str, row.readers))] for row in rows]
    return table(["SECRET", "VALUE FROM", "READ BY"], lines) if lines else ""


def secrets_json(rows: Iterable[ListedSecret]) -> list[dict[str, Any]]:
    """Describe secrets as JSON values."""
    return [
        {
            "name": row.name,
            "place": None if row.place == NOWHERE else row.place,
            "readers": [
                {"chain": r.chain, "target": r.target, "chainlet": r.chainlet, "has_older_value": r.is_older}
                for r in row.readers
            ],
        }
        for row in rows
    ]
