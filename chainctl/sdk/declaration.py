"""What a chainlet class declares, as a frozen value: endpoint, dependencies, context, config."""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.sdk.batched import batching_of
from chainctl.sdk.chainlet import has_own_init
from chainctl.sdk.config import RemoteConfig, RPCOptions
from chainctl.sdk.markers import DependencyMarker, name_of, options_of, target_of
from chainctl.sdk.stages import (
    ENDPOINT,
    StageForms,
    caller_signature,
    element_type,
    first_stage,
    last_stage,
    stage_forms,
    static,
)
from chainctl.sdk.websocket import WebSocketProtocol

CONTEXT = "context"
NO_DEFAULT = inspect.Parameter.empty
_ITERATORS = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)
_STREAMS = (collections.abc.AsyncIterator, collections.abc.AsyncIterable)


@dataclass(frozen=True)
class Parameter:
    """One argument of an endpoint; `default` is NO_DEFAULT where it must be given."""

    name: str
    annotation: Any
    default: Any = NO_DEFAULT

    @property
    def is_required(self) -> bool:
        return self.default is NO_DEFAULT


@dataclass(frozen=True)
class Endpoint:
    """A typed `run_remote` as its callers see it, whatever stages and batches are behind it.

    `is_async` is that of `run_remote`. `returns` is the item type where `is_stream`. `item_parameter`
    names the argument that is a stream of `item_annotation`, None where there is none. Where
    `is_websocket`, the one argument is the connection.
    """

    parameters: tuple[Parameter, ...]
    returns: Any
    is_async: bool
    is_stream: bool
    item_parameter: Optional[str] = None
    item_annotation: Any = None
    is_websocket: bool = False

    @property
    def value_parameters(self) -> tuple[Parameter, ...]:
        """The arguments that travel as values: neither the stream nor the connection."""
        if self.is_websocket:
            return ()
        return tuple(p for p in self.parameters if p.name != self.item_parameter)


@dataclass(frozen=True)
class Dependency:
    """One `depends` default: the argument that it stands for, the class, how to call it."""

    argument: str
    target: type
    options: RPCOptions


@dataclass(frozen=True)
class Declaration:
    """All that a valid chainlet class says about itself."""

    cls: type
    display_name: str
    config: RemoteConfig
    endpoint: Endpoint
    dependencies: tuple[Dependency, ...]
    wants_context: bool
    stages: Optional[StageForms] = None

    @property
    def has_async_code(self) -> bool:
        """Whether any part of a call runs on the event loop."""
        stages = self.stages or StageForms()
        return bool(self.endpoint.is_async or stages.preprocess_is_async or stages.postprocess_is_async)


def declaration_of(cls: type) -> Declaration:
    """Read a chainlet class that has no problems (see `problems_of`)."""
    config: RemoteConfig = getattr(cls, "remote_config", RemoteConfig())
    parameters = init_parameters(cls)
    return Declaration(
        cls=cls,
        display_name=config.name or cls.__name__,
        config=config,
        endpoint=endpoint_of(cls),
        dependencies=tuple(_dependencies(cls, parameters)),
        wants_context=CONTEXT in parameters,
        stages=stage_forms(cls),
    )


def endpoint_of(cls: type) -> Endpoint:
    """Read how a class is called. Raises NameError when an annotation cannot be resolved."""
    function = static(cls, ENDPOINT)
    first, last = static(cls, first_stage(cls)), static(cls, last_stage(cls))
    is_batched = batching_of(function) is not None
    hints = _annotations(cls, first, is_batched=is_batched and first is function)
    parameters = [
        Parameter(p.name, annotation, p.default)
        for p, annotation in zip(caller_signature(cls).parameters.values(), hints, strict=True)
    ]
    returns = resolved_hints(cls, last).get("return", Any)
    if is_batched and last is function:
        returns = element_type(returns)
    streams = [p for p in parameters if is_async_iterator(p.annotation)]
    is_stream = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    return Endpoint(
        parameters=tuple(parameters),
        returns=item_type(returns) if is_stream else returns,
        is_async=inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
        is_stream=is_stream,
        item_parameter=streams[0].name if streams else None,
        item_annotation=item_type(streams[0].annotation) if streams else None,
        is_websocket=any(p.annotation is WebSocketProtocol for p in parameters),
    )


def _annotations(cls: type, function: Any, *, is_batched: bool) -> list[Any]:
    """The types of the arguments in their order, of one element where a list of them is taken."""
    hints = resolved_hints(cls, function)
    found = [hints.get(name, Any) for name in list(inspect.signature(function).parameters)[1:]]
    return [element_type(found[0]), *found[1:]] if is_batched and found else found


def resolved_hints(cls: type, function: Any) -> dict[str, Any]:
    """Return annotations as types, whether or not they were written or kept as strings."""
    names = {**vars(typing), **vars(sys.modules.get(function.__module__, typing))}
    return typing.get_type_hints(function, names, dict(vars(cls)), include_extras=True)


def init_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of `__init__` after `self`; none when there is no own `__init__`."""
    if not has_own_init(cls):
        return {}
    parameters = list(inspect.signature(inspect.getattr_static(cls, "__init__")).parameters.values())
    return {p.name: p for p in parameters[1:]}


def resolve_target(cls: type, target: object) -> Optional[type]:
    """Find what `depends` names: the class itself, or a class of that name in the same module."""
    if isinstance(target, str):
        target = getattr(sys.modules.get(cls.__module__), target, None)
    return target if isinstance(target, type) else None


def is_iterator(annotation: Any) -> bool:
    """Say whether an annotation is one of the iterator types, bare or with an item type."""
    return annotation in _ITERATORS or typing.get_origin(annotation) in _ITERATORS


def is_async_generator_type(annotation: Any) -> bool:
    """Say whether an annotation is one that an async generator has."""
    return is_async_iterator(annotation) or typing.get_origin(annotation) is collections.abc.AsyncGenerator


def is_async_iterator(annotation: Any) -> bool:
    """Say whether an annotation is that of a stream: `AsyncIterator` or `AsyncIterable`, bare or not."""
    return annotation in _STREAMS or typing.get_origin(annotation) in _STREAMS


def item_type(annotation: Any) -> Any:
    """Return the item type of an iterator annotation, Any when there is none."""
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments else Any


def _dependencies(
    cls: type, parameters: dict[str, inspect.Parameter]
) -> collections.abc.Iterator[Dependency]:
    for name, parameter in parameters.items():
        marker = parameter.default
        if isinstance(marker, DependencyMarker):
            target = resolve_target(cls, target_of(marker))
            if target is None:
                raise NameError(f"`{name_of(target_of(marker))}` is no chainlet of {cls.__module__}")
            yield Dependency(name, target, options_of(marker))
