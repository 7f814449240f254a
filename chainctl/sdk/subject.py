"""A class under check in; where its members stand, and what their annotations mean, out."""

from __future__ import annotations

import inspect
from typing import Any, Optional

from chainctl.errors import Problem
from chainctl.sdk.chainlet import ChainletBase
from chainctl.sdk.declaration import resolved_hints
from chainctl.sdk.locate import SourceFile, Span

POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Subject:
    """The class under check, with the places of its members looked up once."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name = cls.__name__
        self._sources: dict[str, SourceFile] = {}

    def owner(self, member: str) -> type:
        """The class in the user's inheritance line that defines a member, the class itself if none does."""
        return next((c for c in self.cls.__mro__ if member in vars(c) and c is not ChainletBase), self.cls)

    def source(self, owner: type) -> SourceFile:
        if owner.__module__ not in self._sources:
            self._sources[owner.__module__] = SourceFile.of_module(owner.__module__)
        return self._sources[owner.__module__]

    def at_class(self) -> Span:
        return self.source(self.cls).of_class(self.cls.__qualname__)

    def at(self, member: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_method(owner.__qualname__, member)

    def at_parameter(self, member: str, parameter: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_parameter(owner.__qualname__, member, parameter)

    def at_return(self, member: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_return(owner.__qualname__, member)


def hints_of(subject: Subject, member: str) -> dict[str, Any]:
    """Resolved annotations of a member, empty when one of them cannot be resolved."""
    function = inspect.getattr_static(subject.cls, member)
    if unresolved(subject, member) is not None:
        return {}
    return resolved_hints(subject.owner(member), function)


def unresolved(subject: Subject, member: str) -> Optional[Exception]:
    try:
        resolved_hints(subject.owner(member), inspect.getattr_static(subject.cls, member))
    except Exception as error:  # noqa: BLE001  # an annotation in a string is code of the user's
        return error
    return None


def unresolved_problem(subject: Subject, member: str) -> Problem:
    return subject.at(member).problem(
        "CH0407",
        f"`{subject.name}.{member}`: an annotation cannot be resolved: {unresolved(subject, member)}",
        help="import the name at module level (not under `if TYPE_CHECKING`)",
    )


def shown(value: object) -> str:
    """Describe a value or a type in a few characters."""
    if isinstance(value, type):
        return f"`{value.__name__}`"
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001  # a user's own class may do anything when it is printed
        return f"a `{type(value).__name__}`"
    is_short = len(shown) < 60 and " at 0x" not in shown
    return f"`{shown}`" if is_short else f"a `{type(value).__name__}`"
