"""JSON values and blobs in; the component with all that it refers to out. Runs the code that was stored."""

from __future__ import annotations

import datetime
import importlib
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from chainctl.components import arrays, pickled, source
from chainctl.components.canonical import sha256
from chainctl.components.encode import TYPE
from chainctl.components.isolated import Isolated, live_modules
from chainctl.components.origin import found_in
from chainctl.components.reduced import Reduced, made
from chainctl.errors import DecodeError
from chainctl.sdk.component import Component
from chainctl.sdk.secret import Secret

_TIMES: Mapping[str, Any] = {
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
}


class Decoder:
    """Decodes one component and those under its `_builds`, each once.

    `given` answers references to components first, such as with those that are loaded already.
    """

    def __init__(
        self,
        builds: Mapping[str, Any],
        blobs: Mapping[str, bytes],
        *,
        given: Mapping[str, Component] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._builds = builds
        self._blobs = blobs
        self._known: dict[str, Component] = dict(given or {})
        self._secrets = secrets or {}
        self._sources: dict[str, _Code] = {}
        self._code: _Code | None = None

    def component(self, data: Mapping[str, Any]) -> Component:
        """Make a component, and call its `postinit`. Raises DecodeError, and what stored code raises."""
        before, self._code = self._code, self._source(data.get("_source"))
        try:
            cls = cast("type[Component]", self.value(data["_class"]))
            fields = {name: self.value(each) for name, each in data.items() if not name.startswith("_")}
        finally:
            self._code = before
        identifier = fields.pop("identifier")
        declared = cls.__dataclass_fields__
        component = cls(identifier, **{n: v for n, v in fields.items() if n in declared and declared[n].init})
        for name in sorted(set(fields) & {n for n, field in declared.items() if not field.init}):
            setattr(component, name, fields[name])
        return component

    def _source(self, name: str | None) -> _Code | None:
        if name is None:
            return None
        if name not in self._sources:
            self._sources[name] = _Code(source.read(self._blob(name)))
        return self._sources[name]

    def _blob(self, name: str) -> bytes:
        digest = name.rpartition(":")[2]
        data = self._blobs.get(digest)
        if data is None or sha256(data) != digest:
            what = "is missing" if data is None else "was changed"
            raise DecodeError(
                f"the artifact {digest[:12]} {what}, so the component cannot be loaded.",
                hint="apply it again from its source.",
            )
        return data

    # --- values ---

    def value(self, value: Any) -> Any:
        """Decode a value of a field."""
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, str):
            return self._named(value)
        if not isinstance(value, dict):
            return value
        if TYPE not in value:
            return {key: self.value(each) for key, each in value.items()}
        kinds: Mapping[str, Callable[[Mapping[str, Any]], Any]] = self._kinds()
        kind = kinds.get(value[TYPE])
        if kind is None:
            raise DecodeError(
                f"a value of the kind {value[TYPE]!r} is unknown to this chainctl.",
                hint="use the version of chainctl that stored it, or a newer one.",
            )
        return kind(value)

    def _kinds(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            "int": lambda v: int(v["v"], 16),
            "float": lambda v: float(v["v"]),
            "str": lambda v: v["v"],
            "text": lambda v: bytes.fromhex(v["v"]).decode("utf-8", "surrogatepass"),
            "tuple": lambda v: tuple(self.value(v["v"])),
            "set": lambda v: set(self.value(v["v"])),
            "frozenset": lambda v: frozenset(self.value(v["v"])),
            "dict": lambda v: {self.value(key): self.value(each) for key, each in v["v"]},
            "bytearray": lambda v: bytearray(self.value(v["v"])),
            "uuid": lambda v: uuid.UUID(v["v"]),
            "path": lambda v: getattr(pathlib, v["c"])(self.value(v["v"])),
            "secret": lambda v: self._secret(self.value(v["v"])),
            "scalar": lambda v: self.value(v["v"])[()],
            "ndarray": self._object_array,
            "object": self._object,
            "import": lambda v: _imported(v["v"]),
            "code": lambda v: self._user_code(v["v"]),
            "pickle": self._pickled,
            **dict.fromkeys(_TIMES, self._time),
        }

    def _named(self, text: str) -> Any:
        if text.startswith("?"):
            return self._reference(text)
        if not text.startswith("&:blob:"):
            return text
        data = self._blob(text)
        return arrays.read(data) if text.startswith("&:blob:npy:") else data

    def _reference(self, text: str) -> Component:
        name = text[1:]
        if name not in self._known:
            if name not in self._builds:
                raise DecodeError(
                    f"`{name}`, which the component refers to, was not stored with it.",
                    hint="apply it again from its source.",
                )
            self._known[name] = self.component(self._builds[name])
        return self._known[name]

    def _time(self, value: Mapping[str, Any]) -> Any:
        return _TIMES[value[TYPE]].fromisoformat(value["v"])

    def _secret(self, name: str) -> Secret:
        secret = Secret(name)
        return secret.given(self._secrets[name]) if name in self._secrets else secret

    def _object_array(self, value: Mapping[str, Any]) -> Any:
        import numpy as np

        flat = np.empty(len(value["v"]), dtype=object)
        for index, each in enumerate(value["v"]):
            flat[index] = self.value(each)
        return flat.reshape(value["shape"])

    def _object(self, value: Mapping[str, Any]) -> Any:
        return made(
            Reduced(
                make=self.value(value["c"]),
                arguments=tuple(self.value(value["args"])),
                state=self.value(value.get("state")),
                items=tuple(self.value(value.get("items", []))),
                pairs=tuple((self.value(k), self.value(v)) for k, v in value.get("pairs", [])),
            )
        )

    def _pickled(self, value: Mapping[str, Any]) -> Any:
        python = value.get("python", pickled.PYTHON)
        if python != pickled.PYTHON:
            raise DecodeError(
                f"a function was stored by Python {python} and cannot be loaded by {pickled.PYTHON}.",
                hint="define it at the top level of a file, or apply it again with this Python.",
            )
        return pickled.loads(self._blob(value["v"]), self._resolved)

    def _resolved(self, reference: pickled.Reference) -> object:
        kind, name = reference
        return self._reference(name) if kind == "component" else self._user_code(name)

    def _user_code(self, name: str) -> object:
        if self._code is None:
            raise DecodeError(
                f"the source of `{name}` was not stored.", hint="apply it again from its source."
            )
        return self._code.named(name)


class _Code:
    """What a bundle defines: as it is loaded in this process where that is the same, else isolated."""

    def __init__(self, bundle: source.Bundle) -> None:
        self._bundle = bundle
        self._live = live_modules(bundle)

    def named(self, name: str) -> object:
        module, _, inside = name.partition(":")
        home = self._live.get(module) or Isolated(self._bundle).module(module)
        return _found(name, found_in(home, inside))


def _imported(name: str) -> object:
    module, _, inside = name.partition(":")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DecodeError(
            f"`{name}` cannot be loaded: {error}.", hint=f"install what provides `{module}`."
        ) from error
    found = found_in(home, inside)
    if getattr(found, "__chainctl_missing__", None):
        raise DecodeError(f"`{name}` is not installed here.", hint=f"install what provides `{module}`.")
    return _found(name, found)


def _found(name: str, value: object) -> object:
    if value is None:
        raise DecodeError(f"`{name}` is no longer there.", hint="apply the component again from its source.")
    return value


def decoded(encoded: Mapping[str, Any]) -> Component:
    """Make a component from what `Component.encode` returned."""
    if "_class" not in encoded:
        raise DecodeError("this is no encoded component.", hint="give what `Component.encode` returned.")
    return Decoder(encoded.get("_builds", {}), encoded.get("_blobs", {})).component(encoded)
