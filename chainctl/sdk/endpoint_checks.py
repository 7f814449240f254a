"""A class under check in; what is wrong with its `run_remote` out."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.declaration import ENDPOINT, is_iterator, item_type
from chainctl.sdk.locate import Span
from chainctl.sdk.subject import (
    POSITIONAL_ONLY,
    VARIADIC,
    Subject,
    hints_of,
    shown,
    unresolved,
    unresolved_problem,
)
from chainctl.sdk.type_checks import type_problems


def endpoint_problems(subject: Subject) -> Iterator[Problem]:
    function = inspect.getattr_static(subject.cls, ENDPOINT, None)
    if function is None:
        yield subject.at_class().problem(
            "CH0401",
            f"`{subject.name}` has no `run_remote`, so it cannot be called",
            help="add `def run_remote(self, …) -> …`; a shared base that is no chainlet should be"
            " a mix-in that does not derive from `ChainletBase`",
        )
        return
    if not inspect.isfunction(function):
        yield subject.at(ENDPOINT).problem(
            "CH0402",
            f"`{subject.name}.run_remote` is {shown(function)}, not a method",
            help="write `def run_remote(self, …) -> …`, without `@staticmethod` or `@classmethod`",
        )
        return
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != "self":
        yield subject.at(ENDPOINT).problem(
            "CH0403",
            f"`{subject.name}.run_remote` must take `self` first",
            help="write `def run_remote(self, …)`",
        )
        return
    hints = hints_of(subject, ENDPOINT)
    if unresolved(subject, ENDPOINT) is not None:
        yield unresolved_problem(subject, ENDPOINT)
        return
    for parameter in parameters[1:]:
        yield from _parameter_problems(subject, parameter, hints)
    yield from _return_problems(subject, function, hints)


def _parameter_problems(
    subject: Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter(ENDPOINT, parameter.name)
    if parameter.kind in (*VARIADIC, POSITIONAL_ONLY):
        yield at.problem(
            "CH0408",
            f"`{subject.name}.run_remote` takes `{parameter.name}` by position or collects it, but"
            " calls between chainlets go by name",
            help="name each argument; for several values take a `list[…]`, for options a model",
        )
    elif parameter.name not in hints:
        yield at.problem(
            "CH0404",
            f"`{subject.name}.run_remote`: argument `{parameter.name}` has no type",
            help=f"annotate it, such as `{parameter.name}: str`",
        )
    else:
        yield from type_problems(at, f"argument `{parameter.name}`", hints[parameter.name])


def _return_problems(subject: Subject, function: Any, hints: dict[str, Any]) -> Iterator[Problem]:
    if "return" not in hints:
        yield subject.at(ENDPOINT).problem(
            "CH0405",
            f"`{subject.name}.run_remote` does not say what it returns",
            help="annotate it: `-> str`, `-> SomeModel`, `-> None`",
        )
        return
    at = subject.at_return(ENDPOINT)
    returns = hints["return"]
    yields = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    if yields or is_iterator(returns):
        yield from _stream_problems(subject, at, function, returns, yields=yields)
    else:
        yield from type_problems(at, "the result", returns)


def _stream_problems(
    subject: Subject, at: Span, function: Any, returns: Any, *, yields: bool
) -> Iterator[Problem]:
    name = f"`{subject.name}.run_remote`"
    if not yields:
        yield at.problem(
            "CH0410",
            f"{name} says that it returns an iterator, but it never yields",
            help="use `yield`, or return a `list[…]`",
        )
    elif not is_iterator(returns):
        yield at.problem(
            "CH0411",
            f"{name} yields, but says that it returns {shown(returns)}",
            help="annotate it as `-> AsyncIterator[str]` or `-> AsyncIterator[bytes]`",
        )
    elif inspect.isgeneratorfunction(function):
        yield at.problem(
            "CH0414",
            f"{name} is a sync generator; streams need `async def`",
            help="write `async def run_remote(…) -> AsyncIterator[…]`",
        )
    elif not typing.get_args(returns):
        yield at.problem(
            "CH0412",
            f"{name} streams items without saying of which type",
            help="annotate it as `-> AsyncIterator[str]` or `-> AsyncIterator[bytes]`",
        )
    elif item_type(returns) not in (str, bytes):
        yield at.problem(
            "CH0413",
            f"{name} streams {shown(item_type(returns))}; streams carry `str` or `bytes`",
            help="serialise items yourself, such as `yield item.model_dump_json()`",
        )
