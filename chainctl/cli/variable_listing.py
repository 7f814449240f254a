"""Overrides of environment variables in; what is said of them, as text or JSON, out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainctl.cli.output import in_one_line, table
from chainctl.cli.variables import Changed, ListedOverride
from chainctl.deploy.overrides import Override

_ALL = "(all)"


def changed_text(done: Changed, what: str) -> list[str]:
    """Say what was done, `what` being "set" or "removed", and when it holds."""
    lines = [f"{one.name} is {what} for {_scope(done.chain, one)}." for one in done.overrides]
    lines += [f"{name} was not set." for name in done.unknown]
    return [*lines, f"The next push of {done.chain} applies it."] if done.overrides else lines


def changed_json(done: Changed) -> dict[str, Any]:
    """Describe what was done as a JSON value."""
    return {
        "chain": done.chain,
        "target": done.target,
        "changed": [_named(one) for one in done.overrides],
        "not_set": list(done.unknown),
    }


def variables_text(rows: Iterable[ListedOverride]) -> str:
    """Render overrides as a table."""
    lines = [
        [
            row.chain,
            row.target,
            row.override.chainlet or _ALL,
            row.override.environment or _ALL,
            row.override.name,
            in_one_line(row.override.value),
        ]
        for row in rows
    ]
    return table(["CHAIN", "TARGET", "CHAINLET", "ENVIRONMENT", "VARIABLE", "VALUE"], lines) if lines else ""


def variables_json(rows: Iterable[ListedOverride]) -> list[dict[str, Any]]:
    """Describe overrides as JSON values."""
    return [
        {
            "chain": row.chain,
            "target": row.target,
            **_named(row.override),
            "value": row.override.value,
        }
        for row in rows
    ]


def _named(one: Override) -> dict[str, Any]:
    return {"chainlet": one.chainlet or None, "environment": one.environment or None, "name": one.name}


def _scope(chain: str, one: Override) -> str:
    where = f"{chain}/{one.chainlet}" if one.chainlet else f"all of {chain}"
    return f"{where} in {one.environment}" if one.environment else f"{where} in every environment"
