"""A class under check in; what is wrong with its `run_remote` out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.batch_checks import batch_problems
from chainctl.sdk.batched import batching_of
from chainctl.sdk.declaration import is_async_iterator, is_iterator
from chainctl.sdk.stage_checks import stage_problems, stages_beside_websocket, unusable_stages
from chainctl.sdk.stages import ENDPOINT, element_type, first_stage, last_stage, static
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
    unusable = unusable_stages(subject)
    if unresolved(subject, ENDPOINT) is not None:
        unusable.append(unresolved_problem(subject, ENDPOINT))
    if unusable:
        yield from unusable
        return
    hints = hints_of(subject, ENDPOINT)
    if is_websocket(hints):
        yield from websocket_problems(subject, function, parameters[1:], hints)
        yield from stages_beside_websocket(subject)
        return
    shape = list(batch_problems(subject))
    yield from shape
    yield from stage_problems(subject)
    is_batched = batching_of(function) is not None
    if not (is_batched and shape):
        yield from _first_problems(subject, is_batched=is_batched)
        yield from _last_problems(subject, is_batched=is_batched)


def _first_problems(subject: Subject, *, is_batched: bool) -> Iterator[Problem]:
    """Check what callers send: the arguments of the first stage."""
    first = first_stage(subject.cls)
    function, hints = static(subject.cls, first), hints_of(subject, first)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    for parameter in parameters:
        yield from _parameter_problems(
            subject, first, parameter, hints, is_list=is_batched and first == ENDPOINT
        )
    yield from input_stream_problems(subject, first, parameters, hints)


def _last_problems(subject: Subject, *, is_batched: bool) -> Iterator[Problem]:
    """Check what callers get: the result of the last stage."""
    last = last_stage(subject.cls)
    yield from _return_problems(subject, last, is_list=is_batched and last == ENDPOINT)


def _parameter_problems(
    subject: Subject, method: str, parameter: inspect.Parameter, hints: dict[str, Any], *, is_list: bool
) -> Iterator[Problem]:
    at = subject.at_parameter(method, parameter.name)
    if parameter.kind in (*VARIADIC, POSITIONAL_ONLY):
        yield at.problem(
            "CH0408",
            f"`{subject.name}.{method}` takes `{parameter.name}` by position or collects it, but"
            " calls between chainlets go by name",
            help="name each argument; for several values take a `list[…]`, for options a model",
        )
    elif parameter.name not in hints:
        yield at.problem(
            "CH0404",
            f"`{subject.name}.{method}`: argument `{parameter.name}` has no type",
            help=f"annotate it, such as `{parameter.name}: str`",
        )
    elif not is_async_iterator(hints[parameter.name]):
        annotation = hints[parameter.name]
        what = f"an element of `{parameter.name}`" if is_list else f"argument `{parameter.name}`"
        yield from type_problems(at, what, element_type(annotation) if is_list else annotation)


def _return_problems(subject: Subject, method: str, *, is_list: bool) -> Iterator[Problem]:
    function, hints = static(subject.cls, method), hints_of(subject, method)
    if "return" not in hints:
        yield subject.at(method).problem(
            "CH0405",
            f"`{subject.name}.{method}` does not say what it returns",
            help="annotate it: `-> str`, `-> SomeModel`, `-> None`",
        )
        return
    at = subject.at_return(method)
    returns = hints["return"]
    yields = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    if yields or is_iterator(returns):
        yield from output_stream_problems(subject, method, returns, yields=yields)
    elif returns is WebSocketProtocol:
        yield at.problem(
            "CH0424",
            f"`{subject.name}.{method}` returns a websocket, which cannot be handed to a caller",
            help="take it as the one argument: `async def run_remote(self, websocket:"
            " chains.WebSocketProtocol) -> None`",
        )
    else:
        yield from type_problems(at, "the result", element_type(returns) if is_list else returns)
