"""Two JSON schemas in; every way in which a value of the first may be none of the second, out. Pure.

That is containment of schemas (Habib, Shinnar, Hirzel, Pradel: "Finding data compatibility bugs with
JSON subschema checks", 2021), for what type annotations give, and with reasons. It errs on the safe
side: what can not be compared is a gap unless it is equal. Keys that an object does not name are no
part of it, unless a schema says what they are.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Schema = Mapping[str, Any] | bool

_ANNOTATIONS = frozenset(
    ["$defs", "$comment", "title", "description", "default", "examples", "deprecated", "discriminator",
     "readOnly", "writeOnly", "contentMediaType"]
)  # fmt: skip
_UNCOMPARED = ("patternProperties", "propertyNames", "not", "if", "then", "else", "contains",
               "dependentRequired", "dependentSchemas", "allOf", "contentSchema")  # fmt: skip
_OF_OBJECTS = frozenset(["properties", "additionalProperties", "required"])
_OF_ARRAYS = frozenset(["items", "prefixItems", "minItems", "maxItems", "uniqueItems"])
_TYPES: Mapping[type, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
    type(None): "null",
}  # fmt: skip


class GapKind(enum.StrEnum):
    """What a gap is about."""

    TYPE = "type"
    REQUIRED = "required"
    UNKNOWN = "unknown"
    VALUES = "values"
    BOUND = "bound"
    FORM = "form"
    UNCOMPARED = "uncompared"


@dataclass(frozen=True, slots=True)
class Gap:
    """One way in which a value of the inner schema may be none of the outer one.

    `path` is where: "" for the whole, `a.b` for fields, `a[]` for items, `a[0]` for places of a
    tuple, `a{}` for the values of a dictionary. `inner` and `outer` say what each has there.
    """

    path: str
    kind: GapKind
    inner: str
    outer: str


def gaps(inner: Schema, outer: Schema) -> tuple[Gap, ...]:
    """Return all gaps, in the order of the inner schema; none when each of its values fits."""
    if json.dumps(inner, sort_keys=True) == json.dumps(outer, sort_keys=True):
        return ()
    return tuple(_Comparison(inner, outer).between(inner, outer))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of two schemas of one type."""

    inner: Schema
    outer: Schema
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two documents. What was compared once is known; what is being compared counts as fitting.

    `known` keeps what it knows by identity, with the schemas, so that no other can take their place.
    """

    inner: Schema
    outer: Schema
    known: dict[tuple[int, int], _Known] = field(default_factory=dict)

    def between(self, inner: Schema, outer: Schema) -> Iterator[Gap]:
        """Yield gaps with paths that begin here."""
        wide = list(_alternatives(outer, self.outer))
        if any(not _constraints(one) for one in wide):
            return
        for narrow in _alternatives(inner, self.inner):
            yield from self._of_one(narrow, wide)

    def _of_one(self, narrow: Mapping[str, Any], wide: Sequence[Mapping[str, Any]]) -> Iterator[Gap]:
        """Compare one alternative with those that it may fit, and take the closest."""
        if "enum" in narrow:
            missing = [value for value in narrow["enum"] if not any(_accepts(one, value) for one in wide)]
            if missing:
                yield Gap("", GapKind.VALUES, _listed(missing), _named(wide))
            return
        fitting = [one for one in wide if "enum" not in one and _fits(narrow, one)]
        if not fitting and narrow.get("type") == "boolean" and _has_both(wide):
            return
        found = sorted((self._of_pair(narrow, one) for one in fitting), key=len)
        if found:
            yield from found[0]
        else:
            yield Gap("", GapKind.TYPE, _named([narrow]), _named(wide))

    def _of_pair(self, inner: Mapping[str, Any], outer: Mapping[str, Any]) -> tuple[Gap, ...]:
        key = (id(inner), id(outer))
        if key not in self.known:
            self.known[key] = _Known(inner, outer, ())
            self.known[key] = _Known(inner, outer, tuple(self._of_kind(inner, outer)))
        return self.known[key].gaps

    def _of_kind(self, inner: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Gap]:
        for key in _UNCOMPARED:
            if key in outer and inner.get(key) != outer[key]:
                yield Gap("", GapKind.UNCOMPARED, _shown(inner, key), _shown(outer, key))
        yield from _bounds(inner, outer)
        yield from _forms(inner, outer)
        if outer.get("type") == "array":
            yield from self._of_arrays(inner, outer)
        if outer.get("type") == "object":
            yield from self._of_objects(inner, outer)

    def _of_arrays(self, inner: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Gap]:
        places = max(len(inner.get("prefixItems", ())), len(outer.get("prefixItems", ())))
        longest = inner.get("maxItems", places + 1)
        for place in range(min(places, longest)):
            yield from _below(f"[{place}]", self.between(_item(inner, place), _item(outer, place)))
        if longest > places:
            yield from _below("[]", self.between(inner.get("items", True), outer.get("items", True)))

    def _of_objects(self, inner: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Gap]:
        mine, theirs = inner.get("properties", {}), outer.get("properties", {})
        more, allowed = inner.get("additionalProperties", True), outer.get("additionalProperties", True)
        for name in (name for name in outer.get("required", ()) if name not in inner.get("required", ())):
            yield Gap(name, GapKind.REQUIRED, "optional" if name in mine else "absent", "required")
        for name, schema in mine.items():
            if name in theirs:
                yield from _below(name, self.between(schema, theirs[name]))
            elif allowed is False:
                yield Gap(name, GapKind.UNKNOWN, "allowed", "unknown")
            else:
                yield from _below(name, self.between(schema, allowed))
        if isinstance(more, Mapping):
            if allowed is False:
                yield Gap("", GapKind.UNKNOWN, "any key", "named keys only")
            else:
                yield from _below("{}", self.between(more, allowed))
            for name in (name for name in theirs if name not in mine):
                yield from _below(name, self.between(more, theirs[name]))


def _below(step: str, found: Iterable[Gap]) -> Iterator[Gap]:
    """Put a step before the paths of gaps."""
    for gap in found:
        dot = "." if gap.path and gap.path[0] not in "[{" else ""
        yield replace(gap, path=f"{step}{dot}{gap.path}")


def _resolved(schema: Schema, document: Schema) -> Schema:
    """Follow references inside a document; one that leads nowhere stands for itself."""
    seen = 0
    while isinstance(schema, Mapping) and "$ref" in schema and isinstance(document, Mapping):
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        found = document.get("$defs", {}).get(name)
        if found is None or (seen := seen + 1) > 100:
            return schema
        schema = found
    return schema


def _alternatives(schema: Schema, document: Schema) -> Iterator[Mapping[str, Any]]:
    """Take a schema apart into such of one type, or with a list of values, each."""
    schema = _resolved(schema, document)
    if isinstance(schema, bool):
        if schema:
            yield {}
        return
    for key in ("anyOf", "oneOf"):
        if key in schema:
            for one in schema[key]:
                yield from _alternatives(one, document)
            return
    if len(schema.get("allOf", ())) == 1:
        yield from _alternatives(schema["allOf"][0], document)
    elif "const" in schema:
        yield {"enum": [schema["const"]]}
    elif "enum" in schema:
        yield {"enum": list(schema["enum"])}
    else:
        for kind in _types(schema):
            is_as_written = not kind or schema.get("type") == kind
            yield schema if is_as_written else {**schema, "type": kind}


def _types(schema: Mapping[str, Any]) -> list[str]:
    given = schema.get("type", "")
    if not given and _OF_OBJECTS & schema.keys():
        given = "object"
    if not given and _OF_ARRAYS & schema.keys():
        given = "array"
    return [given] if isinstance(given, str) else list(given)


def _constraints(schema: Mapping[str, Any]) -> list[str]:
    return [key for key in schema if key not in _ANNOTATIONS]


def _fits(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> bool:
    mine, theirs = inner.get("type"), outer.get("type")
    return mine == theirs or (mine, theirs) == ("integer", "number")


def _has_both(wide: Sequence[Mapping[str, Any]]) -> bool:
    return all(any(_accepts(one, value) for one in wide) for value in (True, False))


def _item(schema: Mapping[str, Any], place: int) -> Schema:
    prefix: Sequence[Schema] = schema.get("prefixItems", ())
    rest: Schema = schema.get("items", True)
    return prefix[place] if place < len(prefix) else rest


def _accepts(schema: Mapping[str, Any], value: object) -> bool:
    """Say whether a schema of one type takes a value; of arrays and objects only equal ones count."""
    if not _constraints(schema):
        return True
    if "enum" in schema:
        return any(_is_same(one, value) for one in schema["enum"])
    kind = _TYPES.get(type(value), "")
    if kind in ("array", "object"):
        return False
    exact: dict[str, Any] = {"type": kind}
    if isinstance(value, int | float) and not isinstance(value, bool):
        exact |= {"minimum": value, "maximum": value}
    if isinstance(value, str):
        exact |= {"minLength": len(value), "maxLength": len(value)}
    has_form = any(key in schema for key in (*_FORMS, "multipleOf", *_UNCOMPARED))
    return _fits(exact, schema) and not has_form and not any(True for _ in _bounds(exact, schema))


def _is_same(one: object, other: object) -> bool:
    """JSON tells true from 1, and does not tell 1 from 1.0."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@dataclass(frozen=True, slots=True)
class _Range:
    """What a number may be, from `least` to `most`; an open end leaves the number itself out."""

    least: float = -math.inf
    most: float = math.inf
    is_least_open: bool = False
    is_most_open: bool = False

    def is_within(self, other: _Range) -> bool:
        starts = (self.least, self.is_least_open) >= (other.least, other.is_least_open)
        ends = (-self.most, self.is_most_open) >= (-other.most, other.is_most_open)
        return starts and ends


_FORMS = ("pattern", "format", "contentEncoding")
_NUMBERS: Sequence[str] = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))


def _bounds(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Gap]:
    pairs = [(_numbers(inner), _numbers(outer), _NUMBERS)]
    pairs += [(_length(inner, *keys), _length(outer, *keys), keys) for keys in _LENGTHS]
    for mine, theirs, keys in pairs:
        if not mine.is_within(theirs):
            yield Gap("", GapKind.BOUND, _written(inner, keys), _written(outer, keys))


def _numbers(schema: Mapping[str, Any]) -> _Range:
    """Join inclusive and exclusive bounds; open ends of integers are closed ones, one further in."""
    step = 1 if schema.get("type") == "integer" else 0
    least = [(schema.get("minimum", -math.inf), False)]
    most = [(schema.get("maximum", math.inf), False)]
    if "exclusiveMinimum" in schema:
        least.append((schema["exclusiveMinimum"] + step, not step))
    if "exclusiveMaximum" in schema:
        most.append((schema["exclusiveMaximum"] - step, not step))
    low, high = max(least), min(most, key=lambda end: (end[0], not end[1]))
    return _Range(low[0], high[0], low[1], high[1])


def _length(schema: Mapping[str, Any], least: str, most: str) -> _Range:
    return _Range(schema.get(least, 0), schema.get(most, math.inf))


def _written(schema: Mapping[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key} {schema[key]}" for key in keys if key in schema) or "no bound"


def _forms(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Gap]:
    for key in _FORMS if outer.get("type") == "string" else ():
        if key in outer and inner.get(key) != outer[key]:
            yield Gap("", GapKind.FORM, _shown(inner, key), _shown(outer, key))
    factor = outer.get("multipleOf")
    if factor is not None and not _is_multiple(inner, factor):
        yield Gap("", GapKind.FORM, _shown(inner, "multipleOf"), _shown(outer, "multipleOf"))
    if outer.get("uniqueItems") and not inner.get("uniqueItems"):
        yield Gap("", GapKind.FORM, "items that may repeat", "items that do not repeat")


def _is_multiple(inner: Mapping[str, Any], factor: float) -> bool:
    own = inner.get("multipleOf", 1 if inner.get("type") == "integer" else None)
    return own is not None and own % factor == 0


def _shown(schema: Mapping[str, Any], key: str) -> str:
    return f"{key} {schema[key]}" if key in schema else f"no {key}"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(json.dumps(value, default=str) for value in values)


def _named(alternatives: Sequence[Mapping[str, Any]]) -> str:
    """Say what a schema takes, in a few words."""
    words = [
        _listed(one["enum"]) if "enum" in one else str(one.get("type") or "anything") for one in alternatives
    ]
    return " or ".join(dict.fromkeys(words)) or "nothing"
