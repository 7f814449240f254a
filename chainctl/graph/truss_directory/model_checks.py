"""The class of a Truss model in; why it could not be made or called, method by method, out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace

from chainctl.errors import Problem
from chainctl.graph.truss_directory.directory import TrussDirectory
from chainctl.graph.truss_directory.method_shapes import (
    Shape,
    function_of,
    is_placeholder,
    needs_value,
    parameters_of,
    shape_of,
    yields,
)
from chainctl.graph.truss_directory.predict_checks import (
    PREDICT,
    WEBSOCKET,
    batch_problems,
    transport_problems,
)
from chainctl.sdk.locate import Span
from chainctl.sdk.stages import POSTPROCESS, PREPROCESS, static
from chainctl.sdk.subject import Subject, shown

CODE = "CH1208"
GIVEN_AT_START = ("config", "data_dir", "secrets", "lazy_data_resolver", "environment")
EXTRAS = ("chat_completions", "completions", "embeddings", "messages", "responses")
_CALLED = (PREPROCESS, PREDICT, POSTPROCESS, *EXTRAS)
_ALONE = ("load", "is_healthy")
_ONE_VALUE = {"setup_environment": "environment", WEBSOCKET: "websocket"}
_METHODS = (*_ALONE, *_ONE_VALUE, *_CALLED)


def model_problems(cls: object, directory: TrussDirectory) -> list[Problem]:
    """Check the class that `directory` names, as it was imported."""
    if not isinstance(cls, type):
        return [
            Span(str(directory.model_file), 1).problem(
                CODE,
                f"`{directory.class_name}` is {shown(cls)}, not a class",
                help=f"write `class {directory.class_name}:` with `load` and `predict`",
            )
        ]
    subject = Subject(cls)
    problems = [
        *_init_problems(subject),
        *_entry_problems(subject),
        *(problem for name in _METHODS for problem in _method_problems(subject, name)),
        *_stage_problems(subject),
        *batch_problems(subject),
        *transport_problems(subject, directory),
    ]
    return [_placed(problem, directory) for problem in problems]


def _placed(problem: Problem, directory: TrussDirectory) -> Problem:
    return problem if problem.path else replace(problem, path=str(directory.model_file))


def _has(subject: Subject, name: str) -> bool:
    return static(subject.cls, name) is not None


# --- making it -------------------------------------------------------------------------------


def _init_problems(subject: Subject) -> Iterator[Problem]:
    parameters = parameters_of(subject.cls, "__init__")
    if parameters is None:
        yield subject.at("__init__").problem(
            CODE,
            f"`{subject.name}.__init__` must take `self` first",
            help="write `def __init__(self, **kwargs)`",
        )
    for parameter in parameters or ():
        is_by_name = parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
        if needs_value(parameter) and not (is_by_name and parameter.name in GIVEN_AT_START):
            why = "by position only" if not is_by_name else f"as `{parameter.name}`"
            yield subject.at_parameter("__init__", parameter.name).problem(
                CODE,
                f"`{subject.name}.__init__` takes an argument {why}, and nothing is given so",
                note=f"a model is made with those of these that it takes, by name: {', '.join(GIVEN_AT_START)}",
                help="give it a default, take `**kwargs`, or read the value from `config`",
            )


# --- calling it ------------------------------------------------------------------------------


def _entry_problems(subject: Subject) -> Iterator[Problem]:
    """Check that there is one way to call the model."""
    has_predict, has_websocket = _has(subject, PREDICT), _has(subject, WEBSOCKET)
    if has_predict and has_websocket:
        yield subject.at(WEBSOCKET).problem(
            CODE,
            f"`{subject.name}` has both `predict` and `websocket`, and a model is called by one of them",
            help="take one of them out, or write a model for each",
        )
    elif not has_predict and not has_websocket and not is_placeholder(subject.cls):
        yield subject.at_class().problem(
            CODE,
            f"`{subject.name}` has neither `predict` nor `websocket`",
            help="write `def predict(self, inputs)`, which returns the answer",
        )
    for name in (PREPROCESS, POSTPROCESS):
        if has_websocket and not has_predict and _has(subject, name):
            yield subject.at(name).problem(
                "CH1106",
                f"`{subject.name}` is called by websocket, so nothing goes through `{name}`",
                help=f"call it `_{name}`, and call it from `websocket` for each message",
                severity="warning",
            )


def _method_problems(subject: Subject, name: str) -> Iterator[Problem]:
    """Check that a method can be called with what it is given."""
    found = static(subject.cls, name)
    if found is None:
        return
    if function_of(subject.cls, name) is None:
        if not callable(found) and not isinstance(found, property):
            yield subject.at(name).problem(
                CODE, f"`{subject.name}.{name}` is {shown(found)}, not a method", help=_written(name)
            )
        return
    parameters = parameters_of(subject.cls, name)
    if parameters is None:
        yield subject.at(name).problem(
            CODE, f"`{subject.name}.{name}` must take `self` first", help=_written(name)
        )
    elif name in _CALLED:
        yield from _shape_problems(subject, name, shape_of(parameters))
    else:
        yield from _fixed_problems(subject, name, parameters)


def _written(name: str) -> str:
    if name in _ALONE:
        return f"write `def {name}(self)`"
    return f"write `def {name}(self, {_ONE_VALUE.get(name, 'inputs')})`"


def _shape_problems(subject: Subject, name: str, shape: Shape) -> Iterator[Problem]:
    if shape.unmet:
        yield subject.at_parameter(name, shape.unmet).problem(
            CODE,
            f"`{subject.name}.{name}` cannot be called: nothing is given as `{shape.unmet}`",
            note="such a method takes nothing, its input, the request, or both; the request is told by its annotation",
            help=f"annotate it, as in `{shape.unmet}: fastapi.Request`, or give it a default",
        )


def _fixed_problems(subject: Subject, name: str, parameters: list[inspect.Parameter]) -> Iterator[Problem]:
    """Check a method that is called with nothing, or with one value."""
    values = (None,) if name in _ONE_VALUE else ()
    try:
        inspect.Signature(parameters).bind(*values)
    except TypeError as error:
        given = f"one value, the {_ONE_VALUE[name]}" if name in _ONE_VALUE else "nothing"
        yield subject.at(name).problem(
            CODE,
            f"`{subject.name}.{name}` is called with {given}, and cannot be: {error}",
            help=_written(name),
        )


# --- how the stages go together --------------------------------------------------------------


def _stage_problems(subject: Subject) -> Iterator[Problem]:
    shapes = {name: _shape(subject, name) for name in (PREPROCESS, PREDICT, POSTPROCESS)}
    for giver, taker in ((PREPROCESS, PREDICT), (PREDICT, POSTPROCESS)):
        shape = shapes[taker]
        if _has(subject, giver) and shape and shape.takes_request and not shape.takes_input:
            yield subject.at(taker).problem(
                CODE,
                f"`{subject.name}.{taker}` takes only the request, so what `{giver}` returns is lost",
                help=f"take both, as in `def {taker}(self, inputs, request: fastapi.Request)`",
            )
    if _has(subject, POSTPROCESS) and yields(function_of(subject.cls, PREDICT)):
        yield subject.at(POSTPROCESS).problem(
            "CH1103",
            f"`{subject.name}.predict` streams, so `postprocess` has no result to work on",
            note="items go to the caller while they are made",
            help="do this work in `predict`, item by item, or return a list from it",
        )


def _shape(subject: Subject, name: str) -> Shape | None:
    """What a method takes, None where that is not known."""
    parameters = parameters_of(subject.cls, name)
    return None if parameters is None or function_of(subject.cls, name) is None else shape_of(parameters)
