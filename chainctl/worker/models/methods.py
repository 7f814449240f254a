"""A method of a model in; what it takes, what it says of its types, and how it is called, out.

A method takes nothing, its input, the request, or both. The request is told by its annotation: a class
`Request` of starlette or of fastapi.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.errors import ChainsUsageError
from chainctl.worker.stages import Stage

PREDICT = "predict"
WEBSOCKET = "websocket"
EXTRAS: Mapping[str, str] = {
    "/v1/chat/completions": "chat_completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/messages": "messages",
    "/v1/responses": "responses",
}
"""Where the methods are served that a model may have besides `predict`."""
_INPUT, _REQUEST = "input", "request"
_WEB = ("starlette", "fastapi")
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Method:
    """One method, by the name that the user knows.

    `given` says what it is called with by position, `named` by name: its input or the request.
    `annotation` is that of its input, `returns` that of its result; None where there is none.
    """

    name: str
    function: Callable[..., Any]
    given: tuple[str, ...]
    named: Mapping[str, str]
    annotation: Any = None
    returns: Any = None
    is_async: bool = False
    is_generator: bool = False

    @property
    def takes_input(self) -> bool:
        return _INPUT in self.given or _INPUT in self.named.values()

    @property
    def takes_request(self) -> bool:
        return _REQUEST in self.given or _REQUEST in self.named.values()

    def stage(self, request: Any = None) -> Stage:
        """What runs it with one value. A generator function is begun on the event loop: that runs none of it."""
        call = self._call(request)
        if not self.is_generator:
            return Stage(self.name, call, self.is_async)

        async def begin(value: Any) -> Any:
            return call(value)

        return Stage(self.name, begin, True)

    def _call(self, request: Any) -> Callable[[Any], Any]:
        function, given, named = self.function, self.given, self.named
        if given == (_INPUT,) and not named:
            return lambda value: function(value)

        def call(value: Any) -> Any:
            values = {_INPUT: value, _REQUEST: request}
            return function(
                *(values[kind] for kind in given), **{name: values[kind] for name, kind in named.items()}
            )

        return call


def method_of(model: Any, name: str) -> Optional[Method]:
    """Read a method of a model, None where it has none. Raises ChainsUsageError for one that cannot be called."""
    function = getattr(model, name, None)
    if function is None:
        return None
    of = f"{type(model).__name__}.{name}"
    if not callable(function):
        raise ChainsUsageError(f"`{of}` is no method")
    signature = signature_of(function)
    given, named, annotation = _taken(of, signature)
    returns = signature.return_annotation
    return Method(
        name,
        function,
        given,
        named,
        annotation,
        None if returns is inspect.Signature.empty else returns,
        inspect.iscoroutinefunction(function),
        inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function),
    )


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """A signature with its annotations; those that cannot be evaluated stay texts."""
    signature = inspect.signature(function)
    names = getattr(inspect.unwrap(function), "__globals__", {})
    parameters = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in signature.parameters.values()
    ]
    returns = _evaluated(signature.return_annotation, names)
    return signature.replace(parameters=parameters, return_annotation=returns)


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)
    except Exception:  # noqa: BLE001  # it may name what only type checkers import
        return annotation


def is_request(annotation: Any) -> bool:
    """Say whether an annotation asks for the request."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "Request"
    module = str(getattr(annotation, "__module__", ""))
    return getattr(annotation, "__name__", "") == "Request" and module.partition(".")[0] in _WEB


def input_annotation(signature: inspect.Signature) -> Any:
    """The annotation of what a method takes as its input, None where there is none."""
    for parameter in signature.parameters.values():
        if parameter.kind not in _REST and not is_request(parameter.annotation):
            return None if parameter.annotation is inspect.Parameter.empty else parameter.annotation
    return None


def _taken(of: str, signature: inspect.Signature) -> tuple[tuple[str, ...], dict[str, str], Any]:
    """What a method is called with: by position as far as nothing is left out, then by name."""
    given: list[str] = []
    named: dict[str, str] = {}
    seen: set[str] = set()
    has_gap = False
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and not seen and not has_gap:
            given.append(_INPUT)
            seen.add(_INPUT)
        if parameter.kind in _REST:
            continue
        kind = _REQUEST if is_request(parameter.annotation) else _INPUT
        if kind in seen:
            _refuse_needed(of, parameter)
            has_gap = True
            continue
        seen.add(kind)
        if parameter.kind in _BY_POSITION and not has_gap:
            given.append(kind)
        else:
            named[parameter.name] = kind
    return tuple(given), named, input_annotation(signature)


def _refuse_needed(of: str, parameter: inspect.Parameter) -> None:
    if parameter.default is inspect.Parameter.empty:
        raise ChainsUsageError(
            f"`{of}` takes `{parameter.name}` besides its input: a method of a model takes its input, the request,"
            " or both",
            hint=f"write `{parameter.name}: starlette.requests.Request` if it is the request, else give it a default.",
        )
