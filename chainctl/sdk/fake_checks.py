"""A chainlet class and a class that is to stand for it in; where they differ for callers, out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.chainlet import has_own_init
from chainctl.sdk.declaration import CONTEXT, Endpoint, Parameter, endpoint_of
from chainctl.sdk.endpoint_checks import endpoint_problems
from chainctl.sdk.locate import Span
from chainctl.sdk.markers import DependencyMarker
from chainctl.sdk.same_type import is_same_type
from chainctl.sdk.stages import ENDPOINT, caller_signature, first_stage, last_stage, stage_forms
from chainctl.sdk.subject import VARIADIC, Subject, hints_of, shown, unresolved, unresolved_problem


def fake_problems(real: type, fake: type) -> list[Problem]:
    """Check that a class can be called as a chainlet is, and be made without anything given.

    It needs no base class. Types must be the same ones, however they are written, and arguments in the same
    order, so that what is wrong here is wrong when deployed.
    """
    subject = Subject(fake)
    if not inspect.isfunction(inspect.getattr_static(fake, ENDPOINT, None)):
        return [
            subject.at_class().problem(
                "CH1001",
                f"`{subject.name}` has no method `run_remote`, so it cannot stand for `{real.__name__}`",
                help=f"write it with the signature of `{real.__name__}.run_remote`",
            )
        ]
    if unresolved(subject, ENDPOINT) is not None:
        return [unresolved_problem(subject, ENDPOINT)]
    if stage_forms(fake) is not None and (wrong := list(endpoint_problems(subject))):
        return wrong
    return [*_init_problems(subject, real), *_endpoint_problems(subject, real)]


def _init_problems(subject: Subject, real: type) -> Iterator[Problem]:
    if not has_own_init(subject.cls):
        return
    parameters = list(inspect.signature(inspect.getattr_static(subject.cls, "__init__")).parameters.values())
    for parameter in parameters[1:]:
        is_given = parameter.name == CONTEXT or parameter.kind in VARIADIC
        is_dependency = isinstance(parameter.default, DependencyMarker)
        if is_dependency or (parameter.default is parameter.empty and not is_given):
            yield subject.at_parameter("__init__", parameter.name).problem(
                "CH1003",
                f"`{subject.name}` stands for `{real.__name__}`, and nothing can give its `__init__` the"
                f" argument `{parameter.name}`",
                help=f"give `{parameter.name}` a default that is a value, or take it out",
            )


def _endpoint_problems(subject: Subject, real: type) -> Iterator[Problem]:
    wanted, found = endpoint_of(real), endpoint_of(subject.cls)
    first, last = first_stage(subject.cls), last_stage(subject.cls)
    at = subject.at(first)
    if _kind(wanted) != _kind(found):
        yield _differs(
            subject, real, at, f"is {_kind(found)}, and that of `{real.__name__}` is {_kind(wanted)}"
        )
        return
    known = {parameter.name: parameter for parameter in found.parameters}
    for parameter in wanted.parameters:
        mine = known.pop(parameter.name, None)
        if mine is None:
            yield _differs(subject, real, at, f"does not take `{parameter.name}`")
        else:
            yield from _parameter_problems(subject, real, parameter, mine)
    for parameter in known.values():
        if parameter.is_required:
            place = subject.at_parameter(first, parameter.name)
            yield _differs(subject, real, place, f"wants `{parameter.name}`, which no caller gives")
    positional = _positional(real)
    is_complete = {p.name for p in found.parameters} >= set(positional)
    if is_complete and _positional(subject.cls)[: len(positional)] != positional:
        order = ", ".join(f"`{name}`" for name in positional)
        yield _differs(subject, real, at, f"does not take {order} in this order, by position and by name")
    is_untyped = "return" not in hints_of(subject, last) and wanted.returns is not Any
    if is_untyped or not is_same_type(wanted.returns, found.returns):
        what = f"gives {_written(found.returns)}, not {_written(wanted.returns)}"
        yield _differs(subject, real, subject.at_return(last), what)


def _parameter_problems(
    subject: Subject, real: type, wanted: Parameter, found: Parameter
) -> Iterator[Problem]:
    at = subject.at_parameter(first_stage(subject.cls), wanted.name)
    if not is_same_type(wanted.annotation, found.annotation):
        what = f"takes `{wanted.name}` as {_written(found.annotation)}, not {_written(wanted.annotation)}"
        yield _differs(subject, real, at, what)
    if found.is_required and not wanted.is_required:
        yield _differs(subject, real, at, f"needs `{wanted.name}`, which callers may leave out")


def _positional(cls: type) -> list[str]:
    """The arguments of `run_remote` that are given by position as well as by name, in their order."""
    parameters = caller_signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def _kind(endpoint: Endpoint) -> str:
    if endpoint.is_websocket:
        return "a WebSocket"
    kind = "async" if endpoint.is_async else "sync"
    return f"{kind} and a stream" if endpoint.is_stream else kind


def _written(annotation: Any) -> str:
    return "no type" if annotation is Any else shown(annotation)


def _differs(subject: Subject, real: type, at: Span, what: str) -> Problem:
    return at.problem(
        "CH1002",
        f"`{subject.name}.run_remote` {what}",
        note=f"it stands for `{real.__name__}`: `run_remote{_signature(real)}`",
        help="write the same signature; import the types from where the chainlet has them",
    )


def _signature(real: type) -> str:
    """The signature to write: that of `run_remote`, or what the stages and batches make of it for callers."""
    written = inspect.signature(inspect.getattr_static(real, ENDPOINT))
    if stage_forms(real) is None:
        return str(written)
    endpoint = endpoint_of(real)
    typed = {p.name: p.annotation for p in endpoint.parameters}
    parameters = [p.replace(annotation=typed[p.name]) for p in caller_signature(real).parameters.values()]
    itself = next(iter(written.parameters.values()))
    returns = written.return_annotation if endpoint.is_stream else endpoint.returns
    return str(inspect.Signature([itself, *parameters], return_annotation=returns))
