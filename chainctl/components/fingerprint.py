"""A value in; what it is, as JSON that is the same in every process, out. What is stored may differ; this may not."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import importlib.util
import inspect
import math
import re
import sys
import types
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

from chainctl.components.canonical import sha256, sorted_text_of
from chainctl.components.code_identity import Import, cell_values, code_value, imports, loads
from chainctl.components.origin import is_user_module, live_module, module_name, origin_of
from chainctl.components.reduced import Reduced, reduce, type_name
from chainctl.components.source import Bundle, source_value, stored_bundle
from chainctl.sdk.component import Component
from chainctl.sdk.secret import Secret
from chainctl.sdk.trigger import as_written, trigger_mark

_SKIPPED = frozenset(
    ["__module__", "__qualname__", "__dict__", "__weakref__", "__doc__", "__annotations__", "__firstlineno__",
     "__static_attributes__", "__dataclass_fields__", "__dataclass_params__", "__match_args__",
     "__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__annotate__", "__annotate_func__",
     "__annotations_cache__", "__slots__", "__signature__", "__class_vars__", "__private_attributes__",
     "__hash__", "__eq__", "__repr__", "__classcell__", "__conditional_annotations__"]
)  # fmt: skip
_CONSTANTS = (
    type(None), bool, int, float, complex, str, bytes, enum.Enum, decimal.Decimal, fractions.Fraction,
    datetime.date, datetime.time, datetime.timedelta, uuid.UUID, PurePath, re.Pattern, range, Secret,
)  # fmt: skip


class Fingerprint:
    """Tells what values are. One object goes once through one component, so that circles of code end."""

    def __init__(self, component: Callable[[Component], Any]) -> None:
        self._component = component
        self._seen: dict[int, int] = {}
        self._active: list[int] = []

    def of(self, value: Any) -> Any:
        """Return what a value is."""
        if value is None or type(value) in (bool, int, float, str, bytes):
            return _atom(value)
        if isinstance(value, Component):
            return self._component(value)
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if id(value) in self._active:
            return ["again", len(self._active) - self._active.index(id(value))]
        self._active.append(id(value))
        try:
            return self._container(value)
        finally:
            self._active.pop()

    def _container(self, value: Any) -> Any:
        kind = type(value)
        if kind in (list, tuple):
            return [kind.__name__, *map(self.of, value)]
        if kind in (set, frozenset):
            return [kind.__name__, *self._unordered(value)]
        if kind is dict:
            return ["dict", *self._pairs(value.items())]
        array = _array(value, self.of)
        return array if array is not None else self._object(value)

    def _unordered(self, values: Iterable[Any]) -> list[Any]:
        """Each on its own, since what was seen before depends on the order."""
        return sorted((Fingerprint(self._component).of(value) for value in values), key=sorted_text_of)

    def _pairs(self, pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
        keyed = [(Fingerprint(self._component).of(key), value) for key, value in pairs]
        keyed.sort(key=lambda pair: sorted_text_of(pair[0]))
        return [[key, self.of(value)] for key, value in keyed]

    def _object(self, value: Any) -> Any:
        inner = _wrapped(value)
        if inner is not None:
            return ["wraps", type_name(value), self.of(inner)]
        try:
            found = reduce(value)
        except Exception:  # noqa: BLE001  # the object's own code; whether it can be stored is not asked here
            return self._unreducible(value)
        if isinstance(found, str):
            return ["import", f"{getattr(value, '__module__', None) or 'builtins'}:{found}"]
        return ["object", type(value).__qualname__, *self._reduced(value, found)]

    def _reduced(self, value: Any, found: Reduced) -> list[Any]:
        is_sorted = isinstance(value, dict) and not isinstance(value, OrderedDict)
        pairs = self._pairs(found.pairs) if is_sorted else [[self.of(k), self.of(v)] for k, v in found.pairs]
        values = (found.make, found.arguments, found.state, list(found.items))
        return [*map(self.of, values), pairs]

    def _unreducible(self, value: Any) -> Any:
        origin = origin_of(value) if callable(value) else None
        return ["import", str(origin)] if origin else ["type", type_name(value)]

    # --- code ---

    def _module(self, module: types.ModuleType) -> Any:
        if not is_user_module(module):
            return ["module", module.__name__]
        return ["module", source_value([module_name(module)], stored_bundle(module))]

    def _once(self, value: object) -> list[Any] | None:
        """Where a function or class was seen before, None for a new one."""
        number = self._seen.get(id(value))
        if number is not None:
            return ["seen", number]
        self._seen[id(value)] = len(self._seen)
        return None

    def _function(self, function: types.FunctionType) -> Any:
        mark = trigger_mark(function)
        written = as_written(function)
        if written is not function:
            trigger = [list(mark.events), list(mark.depends_on), list(mark.requires)] if mark else []
            return ["ours", trigger, self.of(written)]
        seen = self._once(function)
        if seen:
            return seen
        cells = cell_values(function)
        inside = {name: self._binding(cells[name], is_cell=True) for name in sorted(cells)}
        home = function.__globals__.get("__name__", "")
        if _is_library(home):
            return ["import", f"{home}:{function.__code__.co_name}", inside]
        defaults = [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        return ["function", code_value(function.__code__), defaults, inside, self._globals(function)]

    def _globals(self, function: types.FunctionType) -> list[Any]:
        known = function.__globals__
        found: dict[str, Any] = {}
        for load in loads(function.__code__):
            if load.name in known:
                key, value = _followed(load.name, known[load.name], load.attributes)
                if key not in found:
                    found[key] = self._binding(value)
        wanted = sorted({name for each in imports(function.__code__) for name in _names(each, known)})
        stored: Bundle | None = known.get("__chainctl_bundle__")
        return [[[key, found[key]] for key in sorted(found)], source_value(wanted, stored)]

    def _binding(self, value: Any, *, is_cell: bool = False) -> Any:
        """What a name stands for: constants and code as they are, what can change only by its type."""
        if isinstance(value, (types.FunctionType, type, types.ModuleType, Component)):
            return self.of(value)
        if is_cell or _is_constant(value):
            return self.of(value)
        inner = _wrapped(value)
        if inner is not None:
            return ["wraps", type_name(value), self.of(inner)]
        origin = origin_of(value) if callable(value) else None
        return ["import", str(origin)] if origin else ["type", type_name(value)]

    def _class(self, cls: type) -> Any:
        if _is_library(cls.__module__):
            return ["import", f"{_library_name(cls)}"]
        seen = self._once(cls)
        if seen:
            return seen
        bases = [self.of(base) for base in cls.__bases__]
        return ["class", cls.__name__, bases, self._fields(cls), self._members(cls)]

    def _fields(self, cls: type) -> list[Any]:
        if issubclass(cls, enum.Enum):
            return [[name, self.of(member.value)] for name, member in cls.__members__.items()]
        if "__dataclass_fields__" in vars(cls):
            return [self._dataclass_field(field) for field in dataclasses.fields(cls)]  # type: ignore[arg-type]  # it is one
        pydantic = vars(cls).get("__pydantic_fields__")
        if isinstance(pydantic, Mapping):
            written = inspect.get_annotations(cls)  # as written: forward references are resolved at some time
            return [[n, _type_text(written.get(n, "")), self.of(f.default)] for n, f in pydantic.items()]
        return [[name, _type_text(kind)] for name, kind in sorted(inspect.get_annotations(cls).items())]

    def _dataclass_field(self, field: dataclasses.Field[Any]) -> list[Any]:
        default = ["none"] if field.default is dataclasses.MISSING else self.of(field.default)
        factory = ["none"] if field.default_factory is dataclasses.MISSING else self.of(field.default_factory)
        return [field.name, _type_text(field.type), default, factory, bool(field.compare)]

    def _members(self, cls: type) -> list[Any]:
        members = vars(cls)
        skipped = set(_SKIPPED)
        if issubclass(cls, enum.Enum):
            skipped |= {*cls.__members__, *(name for name in members if name.startswith("_"))}
        if "__dataclass_fields__" in members:
            skipped |= {field.name for field in dataclasses.fields(cls)}
        if "__pydantic_fields__" in members:
            skipped |= {name for name in members if name.startswith(("model_", "_abc"))}
        return [
            [name, self._binding(value)]
            for name, value in sorted(members.items())
            if not (_is_written_out(name, skipped) or _is_made_by_python(value))
            or (name in ("__eq__", "__hash__", "__repr__") and _is_users(value))
        ]


def _atom(value: Any) -> Any:
    if type(value) is float:
        return ["float", value.hex() if math.isfinite(value) else repr(value)]
    if type(value) is bytes:
        return ["bytes", sha256(value)]
    if type(value) is int and not -(2**63) <= value < 2**63:
        return ["int", hex(value)]
    if type(value) is str and not value.isascii():
        return ["str", value.encode("utf-8", "surrogatepass").hex()]
    return value


def _array(value: Any, of: Callable[[Any], Any]) -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        return None
    kind = type(value).__name__
    array = numpy.asarray(value)
    if array.dtype.hasobject:
        return ["ndarray", kind, "object", list(array.shape), *map(of, array.ravel().tolist())]
    data = numpy.ascontiguousarray(array).tobytes()
    return ["ndarray", kind, ascii(array.dtype.descr), list(array.shape), sha256(data)]


def _is_constant(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_is_constant, value))
    return isinstance(value, _CONSTANTS)


def _wrapped(value: Any) -> Any:
    """The functions inside properties and the like."""
    if isinstance(value, (classmethod, staticmethod)):
        return value.__func__
    if isinstance(value, property):
        return (value.fget, value.fset, value.fdel)
    if isinstance(value, functools.cached_property):
        return value.func
    inner = getattr(value, "__wrapped__", None)
    return inner if inspect.isfunction(inner) else None


def _names(each: Import, known: Mapping[str, Any]) -> list[str]:
    """Modules that an import inside of a function may mean; names that may be submodules among them."""
    name = each.name
    if each.level:
        package = str(known.get("__package__") or "").removeprefix(known.get("__chainctl_prefix__", ""))
        try:
            name = importlib.util.resolve_name("." * each.level + name, package)
        except ImportError:
            return []
    return [name, *(f"{name}.{inner}" for inner in each.names if inner != "*")]


def _followed(name: str, value: Any, attributes: Iterable[str]) -> tuple[str, Any]:
    """Follow attributes as far as they go through the user's modules."""
    for attribute in attributes:
        if not (isinstance(value, types.ModuleType) and is_user_module(value)) or not hasattr(
            value, attribute
        ):
            break
        name, value = f"{name}.{attribute}", getattr(value, attribute)
    return name, value


def _is_library(name: str) -> bool:
    module = live_module(name)
    return module is not None and module_name(module) != "__main__" and not is_user_module(module)


def _library_name(cls: type) -> str:
    return str(vars(cls).get("__chainctl_missing__") or f"{cls.__module__}:{cls.__qualname__}")


def _type_text(kind: object) -> str:
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return re.sub(r"[\w.]+\.(?=\w)| at 0x[0-9a-f]+", "", text)  # a script's module has two names


def _is_written_out(name: str, skipped: set[str]) -> bool:
    return name in skipped or name.startswith(("__pydantic", "__chainctl"))


def _is_made_by_python(value: object) -> bool:
    """What `dataclass` and slots put into a class."""
    if isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType)):
        return True
    return isinstance(value, types.FunctionType) and value.__code__.co_filename == "<string>"


def _is_users(value: object) -> bool:
    """Whether the user wrote a method that classes of components and data have anyway."""
    if not isinstance(value, types.FunctionType) or value.__code__.co_filename == "<string>":
        return False
    return not _is_library(value.__globals__.get("__name__", ""))
