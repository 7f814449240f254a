"""A class under check in; what is wrong with its `__init__` out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.chainlet import has_own_init, is_chainlet, stand_in_type
from chainctl.sdk.context import DeploymentContext
from chainctl.sdk.declaration import CONTEXT, resolve_target
from chainctl.sdk.markers import ContextMarker, DependencyMarker, name_of, target_of
from chainctl.sdk.subject import POSITIONAL_ONLY, VARIADIC, Subject, hints_of, shown
from chainctl.sdk.websocket_checks import takes_websocket


def init_problems(subject: Subject) -> Iterator[Problem]:
    if not has_own_init(subject.cls):
        return
    init = inspect.getattr_static(subject.cls, "__init__")
    parameters = list(inspect.signature(init).parameters.values()) if inspect.isfunction(init) else []
    if not parameters or parameters[0].name != "self":
        yield subject.at("__init__").problem(
            "CH0301",
            f"`{subject.name}.__init__` must take `self` first",
            help="write `def __init__(self, …)`",
        )
        return
    hints = hints_of(subject, "__init__")
    for parameter in parameters[1:]:
        if parameter.name == CONTEXT or isinstance(parameter.default, ContextMarker):
            last = parameters[-1] is parameter
            yield from _context_problems(subject, parameter, hints, is_last=last)
        else:
            yield from _dependency_problems(subject, parameter, hints)
    yield from _repeated_dependencies(subject, parameters)


def _context_problems(
    subject: Subject, parameter: inspect.Parameter, hints: dict[str, Any], *, is_last: bool
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    written = "`context: chains.DeploymentContext = chains.depends_context()`"
    if parameter.name != CONTEXT or not isinstance(parameter.default, ContextMarker):
        yield at.problem(
            "CH0302",
            f"`{subject.name}.__init__`: an argument named `context` and the default"
            " `chains.depends_context()` go together",
            help=f"write {written}",
        )
    annotation = hints.get(parameter.name, DeploymentContext)
    if not (isinstance(annotation, type) and issubclass(annotation, DeploymentContext)):
        yield at.problem(
            "CH0303",
            f"`{subject.name}.__init__`: `context` is annotated as {shown(annotation)}",
            help=f"write {written}",
        )
    if not is_last:
        yield at.problem(
            "CH0304",
            f"`{subject.name}.__init__`: `context` must be the last argument",
            help="move it behind the dependencies",
        )


def _dependency_problems(
    subject: Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    if parameter.kind in (*VARIADIC, POSITIONAL_ONLY):
        yield at.problem(
            "CH0307",
            f"`{subject.name}.__init__` takes `{parameter.name}` by position or collects it, but arguments"
            " are given by name",
            help="name every dependency as an argument of its own",
        )
    elif not isinstance(parameter.default, DependencyMarker):
        yield at.problem(
            "CH0305",
            f"`{subject.name}.__init__`: nothing can give `{parameter.name}` when the chainlet is deployed",
            note="a chainlet's arguments are other chainlets (`chains.depends(…)`) and the context",
            help="make it a class variable, a constant, or an environment variable in"
            " `ChainletOptions(env_variables=…)`",
        )
    else:
        yield from _target_problems(subject, parameter, hints)


def _target_problems(
    subject: Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    written = target_of(parameter.default)
    target = resolve_target(subject.cls, written)
    if target is subject.cls:
        yield at.problem(
            "CH0202",
            f"`{subject.name}` depends on itself",
            help="move the repeated part into a chainlet of its own, or call a method",
        )
    elif target is None and isinstance(written, str):
        yield at.problem(
            "CH0207",
            f"`{subject.name}` depends on `{written}`, but its module has no such chainlet",
            help="check the spelling, or import the class and name it without quotes",
        )
    elif target is None or not is_chainlet(target):
        yield at.problem(
            "CH0204",
            f"`{subject.name}` depends on `{name_of(written)}`, which is no chainlet",
            help="derive it from `chains.ChainletBase`, or use it directly without `depends`",
        )
    elif takes_websocket(target):
        yield at.problem(
            "CH0210",
            f"`{subject.name}` depends on `{target.__name__}`, which is called by websocket",
            note="a chainlet calls others by requests; only the entrypoint may be called by websocket",
            help="make it the entrypoint, or give it a stream: `AsyncIterator[…]` as argument and as result",
        )
    elif not _fits(hints.get(parameter.name), target):
        yield at.problem(
            "CH0306",
            f"`{parameter.name}` is annotated as {shown(hints[parameter.name])}, but gets `{target.__name__}`",
            help=f"annotate it as `{target.__name__}`, one of its bases, or a `Protocol`",
        )


def _fits(annotation: Any, target: type) -> bool:
    """Say whether an annotation takes what stands for a class: of most, an object that is called like it."""
    if annotation is None or annotation is Any or inspect.getattr_static(annotation, "_is_protocol", False):
        return True
    return isinstance(annotation, type) and issubclass(stand_in_type(target) or target, annotation)


def _repeated_dependencies(subject: Subject, parameters: Iterable[inspect.Parameter]) -> Iterator[Problem]:
    seen: dict[type, str] = {}
    for parameter in parameters:
        if not isinstance(parameter.default, DependencyMarker):
            continue
        target = resolve_target(subject.cls, target_of(parameter.default))
        if target is not None and target in seen:
            yield subject.at_parameter("__init__", parameter.name).problem(
                "CH0203",
                f"`{subject.name}` takes `{target.__name__}` twice: as `{seen[target]}` and as"
                f" `{parameter.name}`",
                help="one argument is enough: there is one service of each chainlet",
            )
        elif target is not None:
            seen[target] = parameter.name
