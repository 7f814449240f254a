"""A method of a model's class in; what it takes when it is called, and whether it can be called, out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainctl.sdk.stages import static

_WEB = ("starlette", "fastapi")
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Shape:
    """Whether a method takes its input and the request; `unmet` is a parameter that nothing is given for."""

    takes_input: bool
    takes_request: bool
    unmet: str = ""


def function_of(cls: type, name: str) -> Callable[..., Any] | None:
    """The function behind a method, None for one that is not there, or of which nothing can be known."""
    found = static(cls, name)
    function = getattr(found, "__func__", found)
    return function if inspect.isfunction(function) else None


def parameters_of(cls: type, name: str) -> list[inspect.Parameter] | None:
    """What a method takes besides the model, None where it cannot even take that."""
    function = function_of(cls, name)
    if function is None:
        return []
    parameters = list(_signature(function).parameters.values())
    if isinstance(static(cls, name), staticmethod):
        return parameters
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        return None
    return parameters if parameters[0].kind in _REST else parameters[1:]


def shape_of(parameters: list[inspect.Parameter]) -> Shape:
    """Give the input to the first parameter, and the request to the first that is annotated with it."""
    takes = {"input": False, "request": False}
    for parameter in parameters:
        if parameter.kind in _REST:
            takes["input"] |= parameter.kind is inspect.Parameter.VAR_POSITIONAL
            continue
        kind = "request" if is_request(parameter.annotation) else "input"
        if takes[kind] and needs_value(parameter):
            return Shape(takes["input"], takes["request"], parameter.name)
        takes[kind] = True
    return Shape(takes["input"], takes["request"])


def needs_value(parameter: inspect.Parameter) -> bool:
    """Say whether a call without this parameter fails."""
    return parameter.default is inspect.Parameter.empty and parameter.kind not in _REST


def is_request(annotation: Any) -> bool:
    """Say whether an annotation asks for the request; its module may be missing here, or it be a text."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "Request"
    if not isinstance(annotation, type):
        return False
    dotted = vars(annotation).get("__chainctl_missing__") or f"{annotation.__module__}.{annotation.__name__}"
    root, _, rest = dotted.partition(".")
    return root in _WEB and rest.rpartition(".")[2] == "Request"


def yields(function: Callable[..., Any] | None) -> bool:
    """Say whether a function is one of generators."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def is_placeholder(cls: type) -> bool:
    """Say whether a class, or one that it derives from, is not installed here: what it has is not known."""
    return any("__chainctl_missing__" in vars(base) for base in cls.__mro__)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """A signature; annotations that cannot be evaluated stay texts."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001  # evaluating an annotation runs the user's code
        return inspect.signature(function)
