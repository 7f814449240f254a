"""Variables that one environment gives to chainlets in; what each chainlet gets of them, out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

OWN_PREFIX = "CHAINCTL_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, order=True)
class Override:
    """One variable with its value. `chainlet` is "" for all of a chain, `environment` "" for every one."""

    environment: str
    chainlet: str
    name: str
    value: str


def overridden(overrides: Iterable[Override], environment: str, chainlet: str) -> dict[str, str]:
    """Return the variables of one chainlet in an environment.

    The environment's own win over those of every one; within, the chainlet's over the chain's.
    """
    fitting = [
        one for one in overrides if one.environment in ("", environment) and one.chainlet in ("", chainlet)
    ]
    return {one.name: one.value for one in sorted(fitting)}  # "" sorts first


def wrong_variable(name: str, value: str) -> str:
    """Say why a variable can not be set, "" when it can."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name of a variable"
    if name.startswith(OWN_PREFIX):
        return f"{name} is set by chainctl itself"
    if "\0" in value or not _is_text(value):
        return f"the value of {name} is no text"
    return ""


def _is_text(value: str) -> bool:
    """What the shell gave as bytes of no encoding can not be kept."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
