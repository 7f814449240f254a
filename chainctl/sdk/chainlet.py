"""The class that users derive from, and the mark of an entrypoint."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Optional, TypeVar, Union, overload

from chainctl.errors import ChainsRuntimeError, ChainsUsageError
from chainctl.sdk.config import RemoteConfig
from chainctl.sdk.resolver import CURRENT_RESOLVER

T = TypeVar("T")
_MARK = "__chainctl_entrypoint__"


class ChainletMeta(abc.ABCMeta):
    """Lets the current Resolver answer what `__init__` leaves open; classes stay as written."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not has_own_init(cls):
            return super().__call__(*args, **kwargs)
        if args:
            raise ChainsRuntimeError(
                f"`{cls.__name__}` was created with positional arguments.",
                hint="name them: chainlets are created with keyword arguments only.",
            )
        resolver = CURRENT_RESOLVER.get()
        if resolver is None:
            raise naive_instantiation(cls)
        arguments = resolver.arguments(cls, kwargs)
        token = CURRENT_RESOLVER.set(None)  # a chainlet's own code may create no other
        try:
            return super().__call__(**arguments)
        finally:
            CURRENT_RESOLVER.reset(token)

    @property
    def display_name(cls) -> str:
        """The name in the chain: `remote_config.name`, else the class name."""
        config = getattr(cls, "remote_config", None)
        name = config.name if isinstance(config, RemoteConfig) else None
        return name or cls.__name__


def has_own_init(cls: type) -> bool:
    """Say whether a class, or a base of it, defines `__init__`."""
    return inspect.getattr_static(cls, "__init__") is not inspect.getattr_static(object, "__init__")


def naive_instantiation(cls: type) -> ChainsRuntimeError:
    """Return the error for creating a chainlet where nobody answers its dependencies."""
    return ChainsRuntimeError(
        f"`{cls.__name__}` was created directly, so nothing can give it its dependencies.",
        hint=f"in a chainlet, declare it: `def __init__(self, dep=chains.depends({cls.__name__}))`;"
        f" to try it out, use `with chains.run_local(): {cls.__name__}()`.",
    )


class ChainletBase(metaclass=ChainletMeta):
    """Base of every chainlet: give it a typed `run_remote`, and `remote_config` where the defaults do not fit."""

    remote_config: ClassVar[RemoteConfig] = RemoteConfig()


def is_chainlet(obj: object) -> bool:
    """Say whether an object is a class that derives from ChainletBase."""
    return isinstance(obj, type) and issubclass(obj, ChainletBase) and obj is not ChainletBase


def stand_in_type(cls: type) -> Any:
    """The type of what stands for a class where another depends on it, None for an object that is called like it."""
    return getattr(cls, "stand_in_type", None)


def is_model(cls: type) -> bool:
    """Say whether a class is a model without a chain, which has the routes of a Truss server, too."""
    return bool(getattr(cls, "is_truss_model", False))


class EntrypointMark:
    """What `mark_entrypoint` leaves on a class. Not inherited: only its owner is marked."""

    __slots__ = ("chain_name", "owner")

    def __init__(self, owner: object, chain_name: Optional[str]) -> None:
        self.owner = owner
        self.chain_name = chain_name


@overload
def mark_entrypoint(cls_or_chain_name: type[T]) -> type[T]: ...
@overload
def mark_entrypoint(cls_or_chain_name: Optional[str] = None) -> Callable[[type[T]], type[T]]: ...
def mark_entrypoint(
    cls_or_chain_name: Union[type[T], str, None] = None,
) -> Union[type[T], Callable[[type[T]], type[T]]]:
    """Mark the chainlet that answers the chain's URL: `@mark_entrypoint` or `@mark_entrypoint("name")`."""
    if cls_or_chain_name is None or isinstance(cls_or_chain_name, str):
        name = cls_or_chain_name
        return lambda cls: _mark(cls, name)
    return _mark(cls_or_chain_name, None)


def _mark(cls: type[T], chain_name: Optional[str]) -> type[T]:
    try:
        setattr(cls, _MARK, EntrypointMark(cls, chain_name))
    except (AttributeError, TypeError):
        raise ChainsUsageError(
            f"`@chains.mark_entrypoint` stands on {cls!r}, which is no chainlet class.",
            hint="put it directly above a class that derives from `chains.ChainletBase`.",
        ) from None
    return cls


def entrypoint_mark(obj: object) -> Optional[EntrypointMark]:
    """Return the mark that stands on this very object, None when there is none."""
    mark = inspect.getattr_static(obj, _MARK, None)
    return mark if isinstance(mark, EntrypointMark) and mark.owner is obj else None
