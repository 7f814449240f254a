"""What a chainlet class declares, as a frozen value: endpoint, dependencies, context, config."""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.sdk.chainlet import has_own_init
from chainctl.sdk.config import RemoteConfig, RPCOptions
from chainctl.sdk.markers import DependencyMarker, name_of, options_of, target_of
from chainctl.sdk.websocket import WebSocketProtocol

ENDPOINT = "run_remote"
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
    """A typed `run_remote`.

    `returns` is the item type where `is_stream`. `item_parameter` names the argument that is a
    stream of `item_annotation`, None where there is none. Where `is_websocket`, the one argument is
    the connection.
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
    )


def endpoint_of(cls: type) -> Endpoint:
    """Read a class's `run_remote`. Raises NameError when an annotation cannot be resolved."""
    function = inspect.getattr_static(cls, ENDPOINT)
    hints = resolved_hints(cls, function)
    parameters = [
        Parameter(p.name, hints.get(p.name, Any), p.default)
        for p in list(inspect.signature(function).parameters.values())[1:]
    ]
    returns = hints.get("return", Any)
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
