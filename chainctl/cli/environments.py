"""The settings of a file in; those that one environment has of its own, and its variables, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chainctl.deploy.overrides import wrong_variable
from chainctl.errors import UsageError

TABLES = "environments"
_CHOICE = "environment"
_VARIABLES = "env"


def layers(
    source: str, values: Mapping[str, Any], environment: str | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a file sets for every environment, then what it sets for this one. Raises UsageError."""
    yield source, {key: value for key, value in values.items() if key != TABLES}
    table = _table(source, values, environment)
    if table:
        own = {key: value for key, value in table.items() if key != _VARIABLES}
        yield _called(source, environment), own


def variables_in(source: str, values: Mapping[str, Any], environment: str | None) -> dict[str, str]:
    """Return the variables that a file gives to all chainlets in an environment. Raises UsageError."""
    given = _table(source, values, environment).get(_VARIABLES, {})
    place = f"{_called(source, environment)}: `{_VARIABLES}`"
    if not isinstance(given, dict):
        raise UsageError(f"{place} is no table", hint='write `LOG_LEVEL = "debug"` below it.')
    for name, value in given.items():
        wrong = wrong_variable(name, value) if isinstance(value, str) else f"the value of {name} is no text"
        if wrong:
            raise UsageError(f"{place}: {wrong}", hint='write `LOG_LEVEL = "debug"`, the value in quotes.')
    return dict(given)


def _table(source: str, values: Mapping[str, Any], environment: str | None) -> Mapping[str, Any]:
    tables = values.get(TABLES, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(
            f"{source}: `{TABLES}` is no table of tables", hint=f"begin one with `[{TABLES}.NAME]`."
        )
    for name, table in tables.items():
        for key in (_CHOICE, TABLES, "targets"):
            if key in table:
                raise UsageError(
                    f"{_called(source, name)} sets `{key}`",
                    hint="that is set outside of the tables of environments.",
                )
    return tables.get(environment, {}) if environment else {}


def _called(source: str, environment: str | None) -> str:
    return f"{source} [{TABLES}.{environment}]"
