"""The questions that a chainlet's `__init__` leaves open, answered by a Resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Optional, TypeVar, Union, cast

from chainctl.errors import ChainsRuntimeError
from chainctl.sdk.config import DEFAULT_CONCURRENCY_LIMIT, DEFAULT_TIMEOUT_SEC, RPCOptions

if TYPE_CHECKING:
    from chainctl.sdk.context import DeploymentContext

ChainletT = TypeVar("ChainletT")


class DependencyMarker:
    """Stands in a signature for a chainlet that will be given. Touching it is a mistake, and says so."""

    __slots__ = ("_options", "_target")

    def __init__(self, target: object, options: RPCOptions) -> None:
        self._target = target
        self._options = options

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python and its tools ask for these of every object
            raise AttributeError(name)
        shown = name_of(self._target)
        raise ChainsRuntimeError(
            f"`chains.depends({shown})` stands for a chainlet, but `.{name}` was used before one was given.",
            hint=f"write it as a default in `__init__`: `def __init__(self, dep=chains.depends({shown}))`;"
            " in a subclass hand it on: `super().__init__(dep=dep)`.",
        )

    def __repr__(self) -> str:
        return f"chains.depends({name_of(self._target)})"


class ContextMarker:
    """Stands in a signature for the deployment context that will be given."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ChainsRuntimeError(
            f"`chains.depends_context()` stands for a context, but `.{name}` was used before one was given.",
            hint="write it as the last default in `__init__`:"
            " `def __init__(self, context: chains.DeploymentContext = chains.depends_context())`.",
        )

    def __repr__(self) -> str:
        return "chains.depends_context()"


def target_of(marker: DependencyMarker) -> object:
    """Return what the marker names: a chainlet class, or the name of one."""
    return object.__getattribute__(marker, "_target")


def options_of(marker: DependencyMarker) -> RPCOptions:
    """Return how the dependency is to be called."""
    return cast("RPCOptions", object.__getattribute__(marker, "_options"))


def name_of(target: object) -> str:
    """Return a printable name of what a marker names."""
    return target if isinstance(target, str) else getattr(target, "__name__", repr(target))


def depends(
    chainlet_cls: Union[type[ChainletT], str],
    retries: int = 1,
    timeout_sec: float = DEFAULT_TIMEOUT_SEC,
    use_binary: bool = False,
    concurrency_limit: int = DEFAULT_CONCURRENCY_LIMIT,
    idempotent: bool = False,
    hedge_after_sec: Optional[float] = None,
    circuit_breaker: bool = False,
) -> ChainletT:
    """Declare that a chainlet calls another one; only as a default in `__init__`.

    `chainlet_cls` is a class, or the name of one in the same module. `retries` counts attempts in
    total, `timeout_sec` bounds one call in seconds, `concurrency_limit` the calls under way.
    `idempotent` says that a call may be repeated after work on it may have begun; only then may
    `hedge_after_sec` make a second attempt when no answer came in that time. `circuit_breaker`
    lets calls fail at once for a while when the service keeps failing.
    """
    options = RPCOptions(
        retries=retries,
        timeout_sec=timeout_sec,
        use_binary=use_binary,
        concurrency_limit=concurrency_limit,
        idempotent=idempotent,
        hedge_after_sec=hedge_after_sec,
        circuit_breaker=circuit_breaker,
    )
    return cast("ChainletT", DependencyMarker(chainlet_cls, options))


def depends_context() -> DeploymentContext:
    """Declare that a chainlet wants the deployment context; only as the last default in `__init__`."""
    return cast("DeploymentContext", ContextMarker())
