"""A class under check in; what is wrong with the streams that it takes and gives out."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.declaration import (
    is_async_generator_type,
    is_async_iterator,
    is_iterator,
    item_type,
)
from chainctl.sdk.locate import Span
from chainctl.sdk.stages import static
from chainctl.sdk.subject import Subject, shown
from chainctl.sdk.type_checks import type_problems


def input_stream_problems(
    subject: Subject, method: str, parameters: Sequence[inspect.Parameter], hints: Mapping[str, Any]
) -> Iterator[Problem]:
    """Check the argument of a method that is a stream, where there is one."""
    function = static(subject.cls, method)
    streams = [p for p in parameters if is_async_iterator(hints.get(p.name))]
    if not streams:
        return
    name = f"`{subject.name}.{method}`"
    for parameter in streams[1:]:
        yield subject.at_parameter(method, parameter.name).problem(
            "CH0415",
            f"{name} takes two streams: `{streams[0].name}` and `{parameter.name}`",
            note="a call carries one stream of items, behind its other arguments",
            help="send both in one stream, such as items of a union of two models",
        )
    if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
        yield subject.at_parameter(method, streams[0].name).problem(
            "CH0417",
            f"{name} takes a stream, so it must be `async`",
            help=f"write `async def {method}(…)` and read it with `async for item in {streams[0].name}`",
        )
    for parameter in streams:
        yield from _item_problems(subject, method, parameter, hints[parameter.name])


def _item_problems(
    subject: Subject, method: str, parameter: inspect.Parameter, annotation: Any
) -> Iterator[Problem]:
    at = subject.at_parameter(method, parameter.name)
    name = f"`{subject.name}.{method}`"
    if parameter.default is not inspect.Parameter.empty:
        yield at.problem(
            "CH0416",
            f"{name}: the stream `{parameter.name}` has a default, but a stream is always sent",
            help="take the default out: an empty stream is one without items",
        )
    if not typing.get_args(annotation):
        yield _without_item_type(at, f"{name} takes the stream `{parameter.name}`")
    else:
        yield from type_problems(at, f"an item of `{parameter.name}`", item_type(annotation))


def output_stream_problems(subject: Subject, method: str, returns: Any, *, yields: bool) -> Iterator[Problem]:
    """Check a result that is a stream, by its annotation or because the method yields."""
    function = static(subject.cls, method)
    at = subject.at_return(method)
    name = f"`{subject.name}.{method}`"
    if not yields:
        yield at.problem(
            "CH0410",
            f"{name} says that it returns an iterator, but it never yields",
            help="use `yield`, or return a `list[…]`",
        )
    elif not is_iterator(returns) or _is_wrong_kind(function, returns):
        kind = "AsyncIterator" if inspect.isasyncgenfunction(function) else "Iterator"
        yield at.problem(
            "CH0411",
            f"{name} yields, but says that it returns {shown(returns)}",
            help=f"annotate it with the type of what is yielded: `-> {kind}[str]`, `-> {kind}[SomeModel]`",
        )
    elif not typing.get_args(returns):
        yield _without_item_type(at, f"{name} streams items")
    else:
        yield from type_problems(at, "an item of the result", item_type(returns))


def _is_wrong_kind(function: Any, returns: Any) -> bool:
    """Whether a generator without `async` says that it is one with."""
    return inspect.isgeneratorfunction(function) and is_async_generator_type(returns)


def _without_item_type(at: Span, what: str) -> Problem:
    return at.problem(
        "CH0412",
        f"{what} without saying of which type",
        help="annotate it with the type of the items: `AsyncIterator[str]`, `AsyncIterator[SomeModel]`",
    )
