"""The class of a Truss model in; what is wrong with how its `predict` is batched or reached out."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.graph.truss_directory.directory import TrussDirectory
from chainctl.graph.truss_directory.method_shapes import (
    function_of,
    is_placeholder,
    parameters_of,
    shape_of,
    yields,
)
from chainctl.sdk.batch_checks import limit_problems
from chainctl.sdk.batched import batching_of
from chainctl.sdk.config import HTTPOptions, WebsocketOptions
from chainctl.sdk.locate import Span
from chainctl.sdk.stages import static
from chainctl.sdk.subject import Subject, shown

PREDICT = "predict"
WEBSOCKET = "websocket"
_LISTS = "write `def predict(self, inputs: list) -> list`: one element for each call"


def batch_problems(subject: Subject) -> Iterator[Problem]:
    """Check a `predict` that takes several calls as one list."""
    names = dict.fromkeys(name for owner in subject.cls.__mro__ for name in vars(owner))
    for name in names:
        if name != PREDICT and batching_of(static(subject.cls, name)) is not None:
            yield subject.at(name).problem(
                "CH1108",
                f"`@chains.batched` stands on `{subject.name}.{name}`, and only `predict` is batched",
                help="put it on `predict`",
            )
    batching = batching_of(static(subject.cls, PREDICT))
    if batching is not None:
        yield from limit_problems(subject, batching, PREDICT)
        yield from _list_problems(subject)


def _list_problems(subject: Subject) -> Iterator[Problem]:
    parameters = parameters_of(subject.cls, PREDICT) or []
    shape = shape_of(parameters)
    if yields(function_of(subject.cls, PREDICT)):
        yield subject.at(PREDICT).problem(
            "CH1109", f"`{subject.name}.predict` is batched and yields", help=_LISTS
        )
    elif shape.takes_request or not shape.takes_input:
        yield subject.at(PREDICT).problem(
            "CH1109", f"`{subject.name}.predict` is batched, and does not take one list alone", help=_LISTS
        )
    elif not _takes_list(parameters[0].annotation):
        yield subject.at_parameter(PREDICT, parameters[0].name).problem(
            "CH1109",
            f"`{subject.name}.predict` is batched and takes {shown(parameters[0].annotation)}, not a list",
            help=_LISTS,
        )


def _takes_list(annotation: Any) -> bool:
    """Say whether a list may be given where an annotation stands; in doubt, it may."""
    kind = typing.get_origin(annotation) or annotation
    if kind in (inspect.Parameter.empty, Any) or not isinstance(kind, type) or is_placeholder(kind):
        return True
    try:
        return issubclass(list, kind)
    except TypeError:
        return True


def transport_problems(subject: Subject, directory: TrussDirectory) -> Iterator[Problem]:
    """Report a transport in the configuration that is not the one of the model's method."""
    transport = directory.remote_config.options.transport
    by_websocket = static(subject.cls, WEBSOCKET) is not None
    if static(subject.cls, PREDICT) is not None and by_websocket:
        return  # told already
    if transport is None or is_placeholder(subject.cls):
        return
    if isinstance(transport, HTTPOptions if by_websocket else WebsocketOptions):
        line = directory.lines.get("runtime.transport", directory.lines.get("runtime", 1))
        method, kind = (WEBSOCKET, "websocket") if by_websocket else (PREDICT, "http")
        yield Span(str(directory.config_file), line, 1).problem(
            "CH0511",
            f"`runtime.transport` is {transport.kind}, but `{subject.name}.{method}` is called by"
            f" {'websocket' if by_websocket else 'requests'}",
            help=f"write `kind: {kind}`, or leave `transport` out: the method decides",
        )
