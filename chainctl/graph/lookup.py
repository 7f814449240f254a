"""Chainlet classes in; a problem for each that a service could not find again by its name, out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from chainctl.errors import Problem
from chainctl.graph.describe import class_span


def lookup_problems(classes: Iterable[type]) -> Iterator[Problem]:
    """Report classes that their module does not have: a service imports the module and asks for the name."""
    for cls in classes:
        if _found(cls) is not cls:
            yield class_span(cls).problem(
                "CH0211",
                f"`{cls.__name__}` cannot be found as `{cls.__module__}.{cls.__qualname__}`",
                note="a service imports the module and takes the class by its name",
                help="define the class at module level, under the name that it keeps",
            )


def _found(cls: type) -> object:
    """What a module has under a class's name, None for nothing."""
    value: object = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        value = getattr(value, part, None)
    return value
