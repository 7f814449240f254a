"""A class under check in; what is wrong with the stages around its `run_remote` out."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.batched import batching_of
from chainctl.sdk.fitting import misfits
from chainctl.sdk.stages import ENDPOINT, POSTPROCESS, PREPROCESS, element_type, static
from chainctl.sdk.subject import Subject, hints_of, shown, unresolved, unresolved_problem
from chainctl.sdk.type_checks import placeholder_in

_STAGES = (PREPROCESS, POSTPROCESS)
_WRITTEN = {
    PREPROCESS: "write `def preprocess(self, …) -> …`, which returns what `run_remote` gets",
    POSTPROCESS: "write `def postprocess(self, result: …) -> …`, which returns what callers get",
    ENDPOINT: "write `def run_remote(self, value: …) -> …`; several values go into one model or tuple",
}


def unusable_stages(subject: Subject) -> list[Problem]:
    """Check that what is called like a stage is a method whose annotations can be read."""
    return [problem for name in _STAGES for problem in _form_problems(subject, name)]


def stage_problems(subject: Subject) -> Iterator[Problem]:
    """Check how stages that are methods go together with a `run_remote` that is called by requests."""
    function = static(subject.cls, ENDPOINT)
    has_first, has_last = (static(subject.cls, name) is not None for name in _STAGES)
    if has_last and (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
        yield subject.at(POSTPROCESS).problem(
            "CH1103",
            f"`{subject.name}.run_remote` streams, so `postprocess` has no result to work on",
            note="items go to the caller while they are made",
            help="do this work in `run_remote`, item by item, or return a `list[…]` from it",
        )
        return
    if has_first:
        yield from _step_problems(subject, PREPROCESS, ENDPOINT)
    if has_last:
        yield from _step_problems(subject, ENDPOINT, POSTPROCESS)
    yield from _called_itself_problems(subject)


def stages_beside_websocket(subject: Subject) -> Iterator[Problem]:
    """Report stages and batches of a `run_remote` that is called by websocket."""
    named = [name for name in _STAGES if static(subject.cls, name) is not None]
    for name in named:
        yield subject.at(name).problem(
            "CH1106",
            f"`{subject.name}.run_remote` is called by websocket, so nothing goes through `{name}`",
            help=f"call it `_{name}`, and call it from `run_remote` for each message",
        )
    if batching_of(static(subject.cls, ENDPOINT)) is not None:
        yield subject.at(ENDPOINT).problem(
            "CH1106",
            f"`{subject.name}.run_remote` is called by websocket, and conversations make no batch",
            help="take `@chains.batched` away, or move what can be batched into a chainlet of its own",
        )


def _form_problems(subject: Subject, name: str) -> Iterator[Problem]:
    function = static(subject.cls, name)
    if function is None:
        return
    at = subject.at(name)
    if not inspect.isfunction(function):
        yield at.problem(
            "CH1101", f"`{subject.name}.{name}` is {shown(function)}, not a method", help=_WRITTEN[name]
        )
        return
    parameters = list(inspect.signature(function).parameters)
    if not parameters or parameters[0] != "self":
        yield at.problem("CH1101", f"`{subject.name}.{name}` must take `self` first", help=_WRITTEN[name])
    elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield at.problem(
            "CH1102",
            f"`{subject.name}.{name}` yields, but a stage hands on one value",
            help="return a value; to stream, yield in `run_remote`",
        )
    elif unresolved(subject, name) is not None:
        yield unresolved_problem(subject, name)


def _step_problems(subject: Subject, giver: str, taker: str) -> Iterator[Problem]:
    """Report a stage that cannot be called with one value, by position, or says that it takes another type."""
    try:
        inspect.signature(static(subject.cls, taker)).bind(None, None)
    except TypeError as error:
        yield subject.at(taker).problem(
            "CH1104",
            f"`{subject.name}.{taker}` is given one value, what `{giver}` returns, and cannot be called with it:"
            f" {error}",
            help=_WRITTEN[taker],
        )
        return
    yield from _between_problems(subject, giver, taker)


def _between_problems(subject: Subject, giver: str, taker: str) -> Iterator[Problem]:
    """Compare what one stage says that it returns with what the next says that it takes."""
    given = _result_type(subject, giver)
    name, wanted = _argument(subject, taker)
    if given is None or wanted is None or placeholder_in(given) or placeholder_in(wanted):
        return
    if misfits(given, wanted):
        yield subject.at_parameter(taker, name).problem(
            "CH1105",
            f"`{subject.name}.{taker}` takes {shown(wanted)} as `{name}`, and `{giver}` gives {shown(given)}",
            help="write the same type at both, or leave out the annotation of what no caller sees",
        )


def _result_type(subject: Subject, name: str) -> Any:
    """What a stage says that it returns, for one call; None where it does not say."""
    hints = hints_of(subject, name)
    found = hints.get("return")
    is_batched = batching_of(static(subject.cls, name)) is not None
    return element_type(found) if is_batched and found is not None else found


def _argument(subject: Subject, name: str) -> tuple[str, Any]:
    """The first argument of a stage and its type, for one call; None where it has no type."""
    function = static(subject.cls, name)
    parameters = list(inspect.signature(function).parameters)[1:]
    if not parameters:
        return "", None
    found = hints_of(subject, name).get(parameters[0])
    is_batched = batching_of(function) is not None
    return parameters[0], element_type(found) if is_batched and found is not None else found


def _called_itself_problems(subject: Subject) -> Iterator[Problem]:
    """Report a `run_remote` that calls a stage: a call would go through it twice."""
    owner = subject.owner(ENDPOINT)
    source = subject.source(owner)
    body = getattr(source.class_node(owner.__qualname__), "body", [])
    methods = [
        n for n in body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name == ENDPOINT
    ]
    for node in ast.walk(methods[-1]) if methods else ():
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id == "self" and node.attr in _STAGES and static(subject.cls, node.attr) is not None:
            yield source.of_node(node).problem(
                "CH1107",
                f"`{subject.name}.run_remote` uses `self.{node.attr}`, which every call goes through anyway",
                note=f"a method called `{node.attr}` is a stage of each call",
                help=f"take this out, or call the method `_{node.attr}` if it is no stage",
            )
