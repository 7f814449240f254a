"""A class under check in; what is wrong with its `is_healthy` out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from chainctl.errors import Problem
from chainctl.sdk.subject import Subject, hints_of, shown, unresolved, unresolved_problem


def health_problems(subject: Subject) -> Iterator[Problem]:
    function = inspect.getattr_static(subject.cls, "is_healthy", None)
    if function is None:
        return
    at = subject.at("is_healthy")
    written = "write `def is_healthy(self) -> bool`"
    if not inspect.isfunction(function):
        yield at.problem(
            "CH0701", f"`{subject.name}.is_healthy` is {shown(function)}, not a method", help=written
        )
        return
    names = list(inspect.signature(function).parameters)
    if not names or names[0] != "self":
        yield at.problem("CH0702", f"`{subject.name}.is_healthy` must take `self` first", help=written)
    elif len(names) > 1:
        yield at.problem(
            "CH0703",
            f"`{subject.name}.is_healthy` takes `{names[1]}`, but nobody gives it arguments",
            help=written,
        )
    if unresolved(subject, "is_healthy") is not None:
        yield unresolved_problem(subject, "is_healthy")
        return
    hints = hints_of(subject, "is_healthy")
    if "return" not in hints:
        yield at.problem(
            "CH0704",
            f"`{subject.name}.is_healthy` does not say that it returns a bool",
            help=written,
        )
    elif hints["return"] is not bool:
        yield at.problem(
            "CH0705",
            f"`{subject.name}.is_healthy` returns {shown(hints['return'])}, not a bool",
            help=written,
        )
