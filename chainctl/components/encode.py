"""Components in; JSON values that say what they hold, and blobs for what is none, out. Nothing is written."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import math
import sys
import types
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from chainctl.components import arrays, pickled
from chainctl.components.canonical import sha256, sorted_text_of
from chainctl.components.node import NodeKey
from chainctl.components.origin import found_in, home_of, is_user_module, module_name, origin_of
from chainctl.components.reduced import Reduced, reduce, type_name
from chainctl.components.source import bundle_of, written
from chainctl.errors import EncodeError
from chainctl.sdk.component import Component
from chainctl.sdk.secret import Secret

TYPE = "$type"
_NAMES = ("&:", "?")


def key_of(component: Component) -> NodeKey:
    return NodeKey(component.component, component.identifier)


@dataclasses.dataclass
class Encoded:
    """One component: its JSON values, what it refers to directly, the blobs that it names itself."""

    component: Component
    data: dict[str, Any]
    children: dict[NodeKey, None] = dataclasses.field(default_factory=dict)
    blobs: dict[str, None] = dataclasses.field(default_factory=dict)
    uses_source: bool = False


class Encoder:
    """Encodes components with all that they refer to. `encoded` has children before their parents.

    All code of the user's files goes into one bundle, so that what shares a module here shares it there.
    """

    def __init__(self) -> None:
        self.encoded: dict[NodeKey, Encoded] = {}
        self.blobs: dict[str, bytes] = {}
        self._modules: dict[str, types.ModuleType] = {}
        self._open: list[Component] = []
        self._path: list[str] = []
        self._active: set[int] = set()
        self._now: Encoded | None = None

    def add(self, component: Component) -> NodeKey:
        """Encode a component. Raises EncodeError, which names the place."""
        key = key_of(component)
        if any(each is component for each in self._open):
            raise self._circle(component)
        known = self.encoded.get(key)
        if known is not None:
            self._check_same(known.component, component)
            return key
        before, self._now = self._now, Encoded(component, {})
        path, self._path = self._path, [f"`{key}`"]
        self._open.append(component)
        self._fill(component, self._now)
        self._open.pop()
        self.encoded[key] = self._now
        self._path, self._now = path, before
        return key

    def finish(self) -> None:
        """Add the bundle of source texts to what uses it."""
        users = [each for each in self.encoded.values() if each.uses_source]
        if users:
            name = self._kept(written(bundle_of(self._modules)))
            for each in users:
                each.data["_source"] = f"&:blob:source:{name}"
                each.blobs[name] = None

    def _fill(self, component: Component, now: Encoded) -> None:
        cls = type(component)
        now.data["_path"] = f"{cls.__module__}:{cls.__qualname__}"
        home = home_of(cls)
        if home is not None:
            now.data["_path"] = f"{module_name(home)}:{cls.__qualname__}"
        with self._at("(class)"):
            now.data["_class"] = self._code(cls)
        for field in dataclasses.fields(component):
            with self._at(f".{field.name}"):
                now.data[field.name] = self.value(getattr(component, field.name))

    def _check_same(self, one: Component, other: Component) -> None:
        if one is not other and (type(one) is not type(other) or one.hash != other.hash):
            raise EncodeError(
                f"two different components are called `{key_of(one)}`.",
                code="CH0909",
                hint="give one of them another identifier.",
            )

    def _circle(self, component: Component) -> EncodeError:
        start = next(i for i, each in enumerate(self._open) if each is component)
        names = " → ".join(f"`{key_of(each)}`" for each in [*self._open[start:], component])
        return EncodeError(
            f"these components refer to each other in a circle: {names}.",
            code="CH0910",
            hint="take one of the references out: no order of applying them works.",
        )

    # --- values ---

    def value(self, value: Any) -> Any:
        """Encode a value of a field."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else {TYPE: "int", "v": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {TYPE: "float", "v": repr(value)}
        if kind is str:
            return _text(value)
        if kind in (bytes, bytearray):
            return self._bytes(value)
        if isinstance(value, Component):
            key = self.add(value)
            assert self._now is not None
            self._now.children[key] = None
            return f"?{key}"
        with self._once(value):
            return self._container(value)

    def _container(self, value: Any) -> Any:
        kind = type(value)
        if kind is list:
            return self._list(value)
        if kind is tuple:
            return {TYPE: "tuple", "v": self._list(value)}
        if kind in (set, frozenset):
            return {TYPE: kind.__name__, "v": sorted(self._list(value), key=sorted_text_of)}
        if kind is dict:
            return self._dict(value)
        return self._plain(value) or self._made(value)

    def _list(self, values: Any) -> list[Any]:
        found = []
        for index, each in enumerate(values):
            with self._at(f"[{index}]"):
                found.append(self.value(each))
        return found

    def _dict(self, value: Mapping[Any, Any]) -> Any:
        found = []
        for key, each in value.items():
            with self._at(f"[{key!r}]"):
                found.append([self.value(key), self.value(each)])
        if all(type(key) is str and not key.startswith("$") and _text(key) == key for key in value):
            return dict(found)
        return {TYPE: "dict", "v": found}

    def _bytes(self, value: bytes | bytearray) -> Any:
        name = f"&:blob:raw:{self._kept(bytes(value))}"
        return name if isinstance(value, bytes) else {TYPE: "bytearray", "v": name}

    def _plain(self, value: Any) -> dict[str, Any] | None:
        """What has a text of its own."""
        kind = type(value)
        if kind in (datetime.datetime, datetime.date, datetime.time) and _is_text_enough(value):
            return {TYPE: kind.__name__, "v": value.isoformat()}
        if kind is uuid.UUID:
            return {TYPE: "uuid", "v": str(value)}
        if isinstance(value, PurePath) and kind.__module__.startswith("pathlib"):
            return {TYPE: "path", "c": kind.__name__, "v": _text(str(value))}
        if kind is Secret:
            return {TYPE: "secret", "v": _text(value.name)}
        return None

    def _made(self, value: Any) -> Any:
        self._refuse(value)
        if isinstance(value, (type, types.ModuleType)) or _is_function(value):
            return self._code(value)
        if arrays.is_array(value) or arrays.is_scalar(value):
            return self._array(value)
        return self._object(value) if _is_open(value) else self._pickle(value)

    def _array(self, value: Any) -> Any:
        if arrays.is_array(value) and value.dtype == object:
            return {TYPE: "ndarray", "shape": list(value.shape), "v": self._list(value.ravel().tolist())}
        data = arrays.written(value)
        if data is None:
            return self._pickle(value)
        name = f"&:blob:npy:{self._kept(data)}"
        return name if arrays.is_array(value) else {TYPE: "scalar", "v": name}

    def _object(self, value: Any) -> Any:
        try:
            found = reduce(value)
        except Exception as error:  # the object's own code
            raise self._unfit(value, str(error)) from error
        if isinstance(found, str):
            return self._global(value, found)
        return {TYPE: "object", **self._reduced(found)}

    def _global(self, value: Any, name: str) -> dict[str, Any]:
        """What says of itself that it is a name of its module, such as a cached function."""
        home = home_of(value)
        if home is None or found_in(home, name) is not value:
            raise self._unfit(value, f"`{name}` is something else in its module")
        is_user = is_user_module(home)
        if is_user:
            self._use(value, module_name(home))
        return {TYPE: "code" if is_user else "import", "v": f"{module_name(home)}:{name}"}

    def _reduced(self, found: Reduced) -> dict[str, Any]:
        encoded = {"c": self.value(found.make), "args": self._list(found.arguments)}
        if found.state is not None:
            encoded["state"] = self._state(found.state)
        if found.items:
            encoded["items"] = self._list(found.items)
        if found.pairs:
            encoded["pairs"] = [self._list(pair) for pair in found.pairs]
        return encoded

    def _state(self, state: Any) -> Any:
        if type(state) is not dict or not all(type(name) is str for name in state):
            return self.value(state)
        found = []
        for name, each in state.items():
            with self._at(f".{name}"):
                found.append([self.value(name), self.value(each)])
        return {TYPE: "dict", "v": found}

    # --- code, and what only pickle can take ---

    def _code(self, value: Any) -> Any:
        origin = origin_of(value)
        if origin is None:
            return self._pickle(value)
        if not origin.is_user:
            return {TYPE: "import", "v": str(origin)}
        self._use(value, origin.module)
        return {TYPE: "code", "v": str(origin)}

    def _use(self, value: object, module: str) -> None:
        home = home_of(value)
        assert home is not None
        assert self._now is not None
        self._modules[module] = home
        self._now.uses_source = True

    def _pickle(self, value: Any) -> Any:
        try:
            data, has_code = pickled.dumps(value, self._reference)
        except EncodeError:
            raise
        except Exception as error:  # the object's own code
            raise self._unfit(value, str(error)) from error
        python = {"python": pickled.PYTHON} if has_code else {}
        return {TYPE: "pickle", "v": f"&:blob:pickle:{self._kept(data)}", **python}

    def _reference(self, value: object) -> pickled.Reference | None:
        """What a pickle holds by name: components, and code of the user's files."""
        if isinstance(value, Component):
            return ("component", str(self.value(value)))
        self._refuse(value)
        if isinstance(value, (type, types.FunctionType, types.ModuleType)):
            origin = origin_of(value)
            if origin is not None and origin.is_user:
                self._use(value, origin.module)
                return ("code", str(origin))
        return None

    def _kept(self, data: bytes) -> str:
        name = sha256(data)
        self.blobs[name] = data
        if self._now is not None:
            self._now.blobs[name] = None
        return name

    # --- places and refusals ---

    def _refuse(self, value: object) -> None:
        missing = getattr(value if isinstance(value, type) else type(value), "__chainctl_missing__", None)
        if missing:
            raise self._unfit(value, f"`{missing}` is not installed here")
        if isinstance(value, io.IOBase):
            raise self._unfit(value, "it is an open file; give its path")

    def _unfit(self, value: object, why: str) -> EncodeError:
        reason = f": {why}" if why else ""
        return EncodeError(
            f"{''.join(self._path)} holds a {type_name(value)}, which cannot be stored{reason}.",
            code="CH0908",
            hint="store what it is made from, and make it in `setup`.",
        )

    @contextmanager
    def _at(self, step: str) -> Iterator[None]:
        path = self._path
        path.append(step)
        try:
            yield
        finally:
            path.pop()

    @contextmanager
    def _once(self, value: object) -> Iterator[None]:
        if id(value) in self._active:
            raise self._unfit(value, "it contains itself")
        self._active.add(id(value))
        try:
            yield
        finally:
            self._active.discard(id(value))


def _text(value: str) -> Any:
    """A text that JSON gives back, and that is not taken for a name."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return {TYPE: "text", "v": value.encode("utf-8", "surrogatepass").hex()}
    return {TYPE: "str", "v": value} if value.startswith(_NAMES) else value


def _is_text_enough(value: datetime.datetime | datetime.date | datetime.time) -> bool:
    zone = getattr(value, "tzinfo", None)
    if getattr(value, "fold", 0) or (zone is not None and type(zone) is not datetime.timezone):
        return False
    again: object = type(value).fromisoformat(value.isoformat())
    return again == value and repr(getattr(again, "tzinfo", None)) == repr(zone)


def _is_function(value: object) -> bool:
    return isinstance(value, (types.FunctionType, types.BuiltinFunctionType)) and not (
        isinstance(value, types.BuiltinFunctionType)
        and not isinstance(value.__self__, (types.ModuleType, type(None)))
    )


def _is_open(value: object) -> bool:
    """Whether an object is stored by its parts: that of the user's classes, of Python's own, and of data."""
    cls = type(value)
    if isinstance(value, enum.Enum) or dataclasses.is_dataclass(cls) or hasattr(cls, "__pydantic_fields__"):
        return True
    if cls.__module__.partition(".")[0] in sys.stdlib_module_names:
        return True
    origin = origin_of(cls)
    return origin is not None and origin.is_user
