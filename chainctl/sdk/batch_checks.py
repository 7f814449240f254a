"""A class under check in; what is wrong with `@chains.batched` on its methods out."""

from __future__ import annotations

import inspect
import keyword
import math
import typing
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.batched import Batching, batching_of
from chainctl.sdk.stages import ENDPOINT, POSTPROCESS, PREPROCESS, static
from chainctl.sdk.subject import POSITIONAL_ONLY, VARIADIC, Subject, hints_of, shown

MOST_IN_A_BATCH = 4096
_WRITTEN = "write `@chains.batched(max_size=8, max_latency=0.01)`: calls, and seconds"
_LISTS = "write `def run_remote(self, texts: list[str]) -> list[str]`: one element for each call"


def batch_problems(subject: Subject) -> Iterator[Problem]:
    """Check where `batched` stands, what it was given, and the shape of the method."""
    yield from _misplaced_problems(subject)
    function = static(subject.cls, ENDPOINT)
    batching = batching_of(function)
    if batching is None:
        return
    yield from limit_problems(subject, batching)
    yield from _shape_problems(subject, function)


def _misplaced_problems(subject: Subject) -> Iterator[Problem]:
    names = dict.fromkeys(name for owner in subject.cls.__mro__ for name in vars(owner))
    for name in names:
        if name != ENDPOINT and batching_of(static(subject.cls, name)) is not None:
            yield subject.at(name).problem(
                "CH1108",
                f"`@chains.batched` stands on `{subject.name}.{name}`, and only `run_remote` is batched",
                help="put it on `run_remote`, or into a chainlet of its own",
            )


def limit_problems(subject: Subject, batching: Batching, method: str = ENDPOINT) -> Iterator[Problem]:
    """Check what `batched` was given on a method."""
    at = subject.at(method)
    name = f"`{subject.name}.{method}`: `batched"
    size, latency, argument = batching.max_size, batching.max_latency, batching.argument
    if not (isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MOST_IN_A_BATCH):
        yield at.problem(
            "CH1108",
            f"{name}(max_size=…)` is {shown(size)}, not a number of calls from 1 to {MOST_IN_A_BATCH}",
            help=_WRITTEN,
        )
    is_number = isinstance(latency, (int, float)) and not isinstance(latency, bool)
    if not (is_number and math.isfinite(latency) and latency >= 0):
        yield at.problem(
            "CH1108", f"{name}(max_latency=…)` is {shown(latency)}, not a time in seconds", help=_WRITTEN
        )
    if argument is None:
        return
    is_name = isinstance(argument, str) and argument.isidentifier() and not keyword.iskeyword(argument)
    if not is_name or static(subject.cls, PREPROCESS) is not None:
        why = "that of `preprocess` is what callers give" if is_name else "no name of an argument"
        yield at.problem(
            "CH1108", f"{name}(argument=…)` is {shown(argument)}, but {why}", help="leave `argument` out"
        )


def _shape_problems(subject: Subject, function: Any) -> Iterator[Problem]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield subject.at(ENDPOINT).problem(
            "CH1109", f"`{subject.name}.run_remote` is batched and yields", help=_LISTS
        )
        return
    hints = hints_of(subject, ENDPOINT)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    plain = [p for p in parameters if p.kind not in (*VARIADIC, POSITIONAL_ONLY) and p.default is p.empty]
    if len(parameters) != 1 or plain != parameters:
        yield subject.at(ENDPOINT).problem(
            "CH1109",
            f"`{subject.name}.run_remote` is batched, so it takes one argument without a default: a list",
            help=f"{_LISTS}; several values go into one model",
        )
    else:
        name = parameters[0].name
        if _is_wanted(subject, PREPROCESS, hints.get(name)) and not _is_list(hints.get(name)):
            yield subject.at_parameter(ENDPOINT, name).problem(
                "CH1109",
                f"`{subject.name}.run_remote` is batched and takes {_said(hints.get(name))}",
                help=_LISTS,
            )
    returned = hints.get("return")
    if _is_wanted(subject, POSTPROCESS, returned) and not _is_list(returned):
        yield subject.at_return(ENDPOINT).problem(
            "CH1109", f"`{subject.name}.run_remote` is batched and returns {_said(returned)}", help=_LISTS
        )


def _is_wanted(subject: Subject, stage: str, annotation: Any) -> bool:
    """Whether a type must be a list: it is written, or callers see it since no stage stands before them."""
    return annotation is not None or static(subject.cls, stage) is None


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is list


def _said(annotation: Any) -> str:
    return "something without a type" if annotation is None else f"{shown(annotation)}, not a `list[…]`"
