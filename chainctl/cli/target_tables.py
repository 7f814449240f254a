"""The tables of targets in files of settings in; the targets that they name out.

A target of one's own has a kind and the settings that hold for it:

    [tool.chainctl.targets.prod]
    kind = "kubernetes"
    kube_context = "prod"
    registry = "registry.example.org/models"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainctl.errors import UsageError

TABLES = "targets"
KINDS = ("docker", "local", "swarm", "kubernetes")
"""What a chain can run on. Each is the name of a target, too: the one that needs no table."""
AUTO = "auto"
_OWN_KINDS = ("docker", "swarm", "kubernetes")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?")
_ELSEWHERE = ("target", "environment", "environments", TABLES, "state_dir", "database", "artifacts")


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """A target of the user's own; `values` are the settings that its table has, unchecked, `source` says where."""

    name: str
    kind: str
    source: str
    values: Mapping[str, Any]


def named_targets(files: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, NamedTarget]:
    """Read the tables of files, given as (where, values); a later one of the same name wins. Raises UsageError."""
    found: dict[str, NamedTarget] = {}
    for source, values in files:
        tables = values.get(TABLES, {})
        if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
            raise UsageError(
                f"{source}: `{TABLES}` is no table of tables", hint=f"begin one with `[{TABLES}.NAME]`."
            )
        for name, table in tables.items():
            found[name] = _target(source, name, table)
    return found


def _target(source: str, name: str, table: Mapping[str, Any]) -> NamedTarget:
    where = f"{source} [{TABLES}.{name}]"
    if name in (*KINDS, AUTO) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{where}: {name!r} can not name a target of your own",
            hint=f"use lower-case letters, digits and dashes, and none of {', '.join((*KINDS, AUTO))}.",
        )
    kind = table.get("kind")
    if kind not in _OWN_KINDS:
        said = "has no `kind`" if kind is None else f"has the kind {kind!r}"
        raise UsageError(f"{where} {said}", hint=f'write `kind = "…"`: {", ".join(_OWN_KINDS)}.')
    for key in _ELSEWHERE:
        if key in table:
            raise UsageError(
                f"{where} sets `{key}`", hint="that holds for all targets: set it outside of the table."
            )
    return NamedTarget(name, kind, where, {key: value for key, value in table.items() if key != "kind"})
