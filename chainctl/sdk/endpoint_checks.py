"""A class under check in; what is wrong with its `run_remote` out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.declaration import ENDPOINT, is_async_iterator, is_iterator
from chainctl.sdk.stream_checks import input_stream_problems, output_stream_problems
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
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.sdk.websocket_checks import is_websocket, websocket_problems


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
    if is_websocket(hints):
        yield from websocket_problems(subject, function, parameters[1:], hints)
        return
    for parameter in parameters[1:]:
        yield from _parameter_problems(subject, parameter, hints)
    yield from input_stream_problems(subject, function, parameters[1:], hints)
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
    elif not is_async_iterator(hints[parameter.name]):
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
        yield from output_stream_problems(subject, function, returns, yields=yields)
    elif returns is WebSocketProtocol:
        yield at.problem(
            "CH0424",
            f"`{subject.name}.run_remote` returns a websocket, which cannot be handed to a caller",
            help="take it as the one argument: `async def run_remote(self, websocket:"
            " chains.WebSocketProtocol) -> None`",
        )
    else:
        yield from type_problems(at, "the result", returns)
