"""The class that users derive components from: fields in; a dataclass with hooks, triggers and an identity out."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar

from chainctl.errors import ComponentError
from chainctl.sdk.component_checks import GENERATED, check_identifier, check_names, check_triggers
from chainctl.sdk.trigger import counted, is_counted

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


T = TypeVar("T")
_OUTPUT = "chainctl.output"
_HOOKS = frozenset(["postinit", "setup", "on_create", "cleanup", "breaks"])


def output(*, default: Any) -> Any:
    """Declare a field that triggers compute: it is stored, and is no part of what the component is."""
    return dataclasses.field(default=default, kw_only=True, metadata={_OUTPUT: True})


@dataclasses.dataclass
class ComponentState:
    """What an instance knows about itself beside its fields; never stored."""

    is_set_up: bool = False
    db: Any = None
    version: Optional[int] = None
    status: str = "new"


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(dataclasses.field, output))
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Component:
    """A declared resource: annotated fields, hooks, and methods marked with `@trigger("apply")`.

    Subclasses are dataclasses by themselves, with keyword-only arguments but for `identifier`.
    After superduper's Component.
    """

    identifier: str = dataclasses.field(kw_only=False)
    breaks: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith("chainctl.sdk."):
            check_names(cls, RESERVED)
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        setattr(vars(cls)["__init__"], GENERATED, True)
        for name in ("__eq__", "__hash__", "__repr__"):  # another `@dataclass` above the class keeps them
            setattr(cls, name, getattr(cls, name))
        setup = inspect.getattr_static(cls, "setup")
        if inspect.isfunction(setup) and not is_counted(setup):
            setattr(cls, "setup", counted(setup))  # noqa: B010  # mypy takes no assignment of a method
        check_triggers(cls, cls.breaks)

    def __post_init__(self) -> None:
        check_identifier(type(self), self.identifier)
        self._begin()

    def _begin(self) -> None:
        self._chainctl = ComponentState()
        self.postinit()

    # --- hooks: a subclass defines those that it needs, and calls no `super()` ---

    def postinit(self) -> None:
        """Check or complete the fields: called after `__init__`, also when the component is loaded."""

    def setup(self) -> Any:
        """Make what triggers and `cleanup` need: called before them, once; a call of yours counts."""

    def on_create(self) -> Any:
        """Called once for each new version, after it is stored and before its triggers run."""

    def cleanup(self) -> Any:
        """Undo what the component made: called before it is removed."""

    # --- what a component is ---

    @property
    def component(self) -> str:
        """The name of its class."""
        return type(self).__name__

    @property
    def hash(self) -> str:
        """The digest of everything that it is: fields, code, and the hashes of what it refers to."""
        return str(_room().hash_of(self))

    @property
    def uuid(self) -> str:
        """Its version's name: changes with the fields that its class names in `breaks`."""
        return str(_room().uuid_of(self))

    @property
    def huuid(self) -> str:
        """`uuid` with its class and identifier before it, for people."""
        return f"{self.component}:{self.identifier}:{self.uuid}"

    @property
    def children(self) -> tuple[Component, ...]:
        """The components that its fields refer to."""
        children: tuple[Component, ...] = _room().children_of(self)
        return children

    @property
    def version(self) -> Optional[int]:
        """The number of its version, None before it was applied."""
        return self._chainctl.version

    @property
    def status(self) -> str:
        """Where its jobs stand, "new" before it was applied."""
        return self._chainctl.status

    @property
    def db(self) -> Any:
        """What it was applied to or loaded from, None before that."""
        return self._chainctl.db

    # --- what it becomes ---

    def encode(self) -> dict[str, Any]:
        """Return it as JSON values, with those that are none as bytes under `_blobs`. Raises EncodeError."""
        encoded: dict[str, Any] = _room().encode(self)
        return encoded

    @classmethod
    def decode(cls, encoded: Mapping[str, Any]) -> Self:
        """Make a component from what `encode` returned. Runs the code that it brings along."""
        component = _room().decode(encoded)
        if not isinstance(component, Component) or (
            cls is not Component and component.component != cls.__name__
        ):
            raise ComponentError(
                f"this is a {type(component).__name__}, not a {cls.__name__}.",
                hint="decode it with `Component.decode`.",
            )
        return component  # type: ignore[return-value]  # the class may be one of another interpreter

    def diff(self, other: Component) -> dict[str, tuple[object, object]]:
        """Return the fields that differ, with both values; `"(code)"` where the class does."""
        found: dict[str, tuple[object, object]] = _room().diff(self, other)
        return found

    def show(self) -> str:
        """Return it as text: its name, its fields, what it refers to."""
        return str(_room().show(self))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Component) or self.component != other.component:
            return NotImplemented
        return self.identifier == other.identifier and self.hash == other.hash

    def __hash__(self) -> int:
        return hash((self.component, self.identifier))

    def __repr__(self) -> str:
        return f"{self.component}({self.identifier!r})"


RESERVED = (
    frozenset(name for name in vars(Component) if not name.startswith("__"))
    | {"identifier", "_chainctl", "__post_init__", "__init_subclass__"}
    | {"_path", "_class", "_source", "_builds", "_blobs"}  # stand beside the fields when they are stored
) - _HOOKS


def is_output(field: dataclasses.Field[Any]) -> bool:
    """Say whether a field was declared with `output()`."""
    return bool(field.metadata.get(_OUTPUT))


def state_of(component: Component) -> ComponentState:
    """What a component knows beside its fields."""
    return component._chainctl


def _room() -> Any:
    """The part of chainctl that encodes components; images do not have it, since nothing there needs it."""
    try:
        return importlib.import_module("chainctl.components.answers")
    except ModuleNotFoundError as error:
        if error.name not in ("chainctl.components", "chainctl.components.answers"):
            raise
        raise ComponentError(
            "components are only declared in a service: they are applied where chainctl is installed.",
            hint="use what the component made (a file, an address), not the component itself.",
        ) from None
