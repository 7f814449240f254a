"""Values that refuse to change in place and say what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Optional, SupportsIndex, TypeVar, Union, overload

import pydantic
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

from chainctl.errors import ChainsUsageError

T = TypeVar("T")
V = TypeVar("V")


class FrozenModel(pydantic.BaseModel):
    """Base of every configuration value: strict, closed, and frozen."""

    model_config = pydantic.ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)

    # Field name in the owner's constructor call, for the hint of `__setattr__`.
    _written_as: ClassVar[str] = ""

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        kind = type(self).__name__
        raise ChainsUsageError(
            f"`{kind}.{name}` cannot be changed in place: the value may be shared with other"
            " chainlets, such as a base class.",
            hint=f"make a new value: `{kind}({name}=…)`, or"
            f' `old.model_copy(update={{"{name}": …}})` to keep the other fields.',
        )

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def model_copy(self, *, update: Optional[Mapping[str, Any]] = None, deep: bool = False) -> Self:
        """Make a new value with some fields replaced; it is checked like any other new value."""
        if not update:
            return super().model_copy(deep=deep)
        written = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**written, **update})


class FrozenList(tuple[T, ...]):
    """A list in the user's eyes (accepts and adds lists), a tuple inside."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> FrozenList[T]: ...
    def __getitem__(self, key: Union[SupportsIndex, slice]) -> Union[T, FrozenList[T]]:
        return FrozenList(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def __add__(self, other: Iterable[Any]) -> FrozenList[Any]:
        return FrozenList((*self, *other))

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (list, tuple)) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other if isinstance(other, (list, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(list(self))

    def copy(self) -> list[T]:
        return list(self)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise ChainsUsageError(
            "a list inside a chainlet's configuration cannot be changed in place: it may be"
            " shared with other chainlets, such as a base class.",
            hint="make a new value: `[*old, new]`, and pass it to a new `DockerImage(…)`"
            " or `RemoteConfig(…)`.",
        )

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = _refuse

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
        (item,) = getattr(source, "__args__", None) or (Any,)
        item_schema = handler.generate_schema(item)
        items = core_schema.tuple_variable_schema(item_schema, strict=False)
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.no_info_before_validator_function(_as_tuple, items),
            serialization=core_schema.plain_serializer_function_ser_schema(
                list, return_schema=core_schema.list_schema(item_schema)
            ),
        )


def _as_tuple(value: object) -> object:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return value
    return tuple(value)


class FrozenDict(dict[str, V]):
    """A dictionary that cannot be changed after it was made."""

    def __hash__(self) -> int:  # type: ignore[override]  # dict has none, this one never changes
        return hash(tuple(sorted((k, repr(v)) for k, v in self.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise ChainsUsageError(
            "a mapping inside a chainlet's configuration cannot be changed in place: it may be"
            " shared with other chainlets, such as a base class.",
            hint="make a new value: `{**old, key: value}`, and pass it to a new options object.",
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
        (value,) = getattr(source, "__args__", None) or (Any,)
        mapping = core_schema.dict_schema(core_schema.str_schema(), handler.generate_schema(value))
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.no_info_before_validator_function(_as_dict, mapping),
            serialization=core_schema.plain_serializer_function_ser_schema(dict, return_schema=mapping),
        )


if TYPE_CHECKING:
    # What users write, and what type checkers hold them to; the frozen kinds are what they get.
    ListOf = list
    StrDict = dict[str, str]
else:
    ListOf = FrozenList
    StrDict = FrozenDict[str]


def _as_dict(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value
