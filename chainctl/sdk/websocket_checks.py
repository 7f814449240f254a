"""A class under check in; what is wrong with a `run_remote` that is called by websocket out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.stages import ENDPOINT
from chainctl.sdk.subject import Subject, hints_of, shown
from chainctl.sdk.websocket import WebSocketProtocol

_WRITTEN = "write `async def run_remote(self, websocket: chains.WebSocketProtocol) -> None`"


def takes_websocket(cls: type) -> bool:
    """Say whether a class, whatever else is wrong with it, has a `run_remote` that is given a websocket."""
    if not inspect.isfunction(inspect.getattr_static(cls, ENDPOINT, None)):
        return False
    return is_websocket(hints_of(Subject(cls), ENDPOINT))


def is_websocket(hints: Mapping[str, Any]) -> bool:
    """Say whether the annotations of a `run_remote` make it one that is called by websocket."""
    return any(name != "return" and hint is WebSocketProtocol for name, hint in hints.items())


def websocket_problems(
    subject: Subject, function: Any, parameters: Sequence[inspect.Parameter], hints: Mapping[str, Any]
) -> Iterator[Problem]:
    """Check a `run_remote` of which `is_websocket` holds."""
    name = f"`{subject.name}.run_remote`"
    first, *others = sorted(parameters, key=lambda p: hints.get(p.name) is not WebSocketProtocol)
    for parameter in others:
        yield subject.at_parameter(ENDPOINT, parameter.name).problem(
            "CH0420",
            f"{name} takes `{parameter.name}` besides the websocket `{first.name}`",
            help="receive it as the first message instead: `await websocket.receive_json()`",
        )
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        yield subject.at(ENDPOINT).problem(
            "CH0422",
            f"{name} yields, but who is called by websocket sends",
            help="send each item: `await websocket.send_text(item)`",
        )
    elif not inspect.iscoroutinefunction(function):
        yield subject.at(ENDPOINT).problem(
            "CH0421", f"{name} is called by websocket, so it must be `async`", help=_WRITTEN
        )
    if hints.get("return", ...) is not type(None):
        what = f"returns {shown(hints['return'])}" if "return" in hints else "does not say what it returns"
        yield subject.at_return(ENDPOINT).problem(
            "CH0423",
            f"{name} is called by websocket and {what}, but nobody is given a result",
            help=f"{_WRITTEN}, and send results as messages",
        )
