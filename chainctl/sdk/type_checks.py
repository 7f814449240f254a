"""The type of an argument or a result in; why it cannot be sent between services out."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any, Optional

import pydantic

from chainctl.errors import Problem
from chainctl.sdk.locate import Span
from chainctl.sdk.subject import shown


def type_problems(at: Span, what: str, annotation: Any) -> Iterator[Problem]:
    missing = placeholder_in(annotation)
    if missing is not None:
        yield at.problem(
            "CH0409",
            f"the type of {what} is `{missing}`, which is not installed here",
            note="types in a signature must be known to check them and to publish their schema",
            help=f"install `{missing.split('.')[0]}` here, or send a pydantic model, `bytes` or a"
            " built-in type instead",
        )
        return
    try:
        pydantic.TypeAdapter(annotation)
    except Exception as error:  # noqa: BLE001  # a user's own schema hooks run here
        yield at.problem(
            "CH0406",
            f"{what} is {shown(annotation)}, which cannot be sent between services",
            note=str(error).split("\n", maxsplit=1)[0],
            help="use what pydantic can validate: built-in types, containers, enums, dataclasses,"
            " pydantic models",
        )


def placeholder_in(annotation: Any) -> Optional[str]:
    """Return the dotted name of a missing import that an annotation contains, None when it has none."""
    name = inspect.getattr_static(annotation, "__chainctl_missing__", None)
    if isinstance(name, str):
        return name
    for argument in typing.get_args(annotation):
        found = placeholder_in(argument)
        if found:
            return found
    return None
