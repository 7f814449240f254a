"""Containment of schemas, by examples and against a validator."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # stubs are a package of their own
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.schema_gaps import Gap, GapKind, Schema, gaps

INT, NUM, STR, NULL = {"type": "integer"}, {"type": "number"}, {"type": "string"}, {"type": "null"}


def obj(*required: str, closed: bool = False, **properties: Schema) -> dict[str, Any]:
    """An object schema."""
    more: dict[str, Any] = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": properties, "required": list(required), **more}


def arr(items: Schema, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def either(*schemas: Schema) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


NODE = {"$ref": "#/$defs/Node"}


def tree(value: Schema) -> dict[str, Any]:
    """A type that refers to itself."""
    return {**NODE, "$defs": {"Node": obj("v", v=value, next=either(NODE, NULL))}}


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (INT, INT),
        (INT, NUM),
        (INT, {}),
        (INT, True),
        (False, INT),
        (INT, either(STR, NUM)),
        (either(INT, NULL), either(NULL, STR, NUM)),
        ({"type": ["integer", "null"]}, either(NULL, INT)),
        ({"enum": ["a", 3]}, either(STR, INT)),
        ({"const": "a"}, {"enum": ["a", "b"]}),
        ({"enum": [True, False]}, {"type": "boolean"}),
        ({"type": "boolean"}, {"enum": [True, False]}),
        ({"enum": ["abc"]}, {"type": "string", "minLength": 3, "maxLength": 3}),
        ({**INT, "minimum": 1}, {**INT, "exclusiveMinimum": 0}),
        ({**NUM, "exclusiveMinimum": 0}, {**NUM, "minimum": 0}),
        ({**INT, "multipleOf": 6}, {**INT, "multipleOf": 3}),
        (arr(INT, minItems=2), arr(NUM, minItems=1)),
        (arr(INT), {"type": "array"}),
        ({"type": "array", "prefixItems": [INT, STR], "minItems": 2, "maxItems": 2}, arr(either(INT, STR))),
        (obj("a", a=INT), obj(a=NUM)),
        (obj("a", "b", a=INT, b=STR), obj("a", a=INT)),
        (obj("a", a=INT, closed=True), obj("a", a=INT, b=INT, closed=True)),
        ({"type": "object", "additionalProperties": INT}, {"type": "object", "additionalProperties": NUM}),
        (tree(INT), tree(NUM)),
        ({"title": "A", **INT}, {"title": "B", "description": "x", **INT}),
    ],
)
def test_what_fits(inner: Schema, outer: Schema) -> None:
    assert gaps(inner, outer) == ()


@pytest.mark.parametrize(
    ("inner", "outer", "path", "kind"),
    [
        (NUM, INT, "", GapKind.TYPE),
        ({}, INT, "", GapKind.TYPE),
        (either(INT, NULL), INT, "", GapKind.TYPE),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, "", GapKind.VALUES),
        ({"enum": [1]}, {"enum": [True]}, "", GapKind.VALUES),
        (STR, {"enum": ["a"]}, "", GapKind.TYPE),
        ({**INT, "minimum": 0}, {**INT, "minimum": 1}, "", GapKind.BOUND),
        ({**NUM, "minimum": 0}, {**NUM, "exclusiveMinimum": 0}, "", GapKind.BOUND),
        (STR, {**STR, "maxLength": 3}, "", GapKind.BOUND),
        (STR, {**STR, "pattern": "^a"}, "", GapKind.FORM),
        (STR, {**STR, "format": "uuid"}, "", GapKind.FORM),
        (arr(INT), arr(INT, uniqueItems=True), "", GapKind.FORM),
        ({**INT, "multipleOf": 3}, {**INT, "multipleOf": 6}, "", GapKind.FORM),
        (arr(arr(NUM)), arr(arr(INT)), "[][]", GapKind.TYPE),
        ({"type": "array", "prefixItems": [INT, STR]}, {"type": "array", "prefixItems": [INT, INT]}, "[1]",
         GapKind.TYPE),
        (obj(a=INT), obj("a", a=INT), "a", GapKind.REQUIRED),
        (obj("a", a=INT), obj("a", "b", a=INT, b=INT), "b", GapKind.REQUIRED),
        (obj(a=INT, b=INT), obj(a=INT, closed=True), "b", GapKind.UNKNOWN),
        (obj(a=obj(b=arr(NUM))), obj(a=obj(b=arr(INT))), "a.b[]", GapKind.TYPE),
        ({"type": "object", "additionalProperties": NUM}, {"type": "object", "additionalProperties": INT}, "{}",
         GapKind.TYPE),
        (tree(NUM), tree(INT), "v", GapKind.TYPE),
        (obj(a=INT), {"type": "object", "patternProperties": {"^b": INT}}, "", GapKind.UNCOMPARED),
    ],
)  # fmt: skip
def test_what_does_not_fit_and_where(inner: Schema, outer: Schema, path: str, kind: GapKind) -> None:
    assert [(gap.path, gap.kind) for gap in gaps(inner, outer)] == [(path, kind)]


def test_a_gap_says_what_either_side_has() -> None:
    """The nearest of several alternatives is compared with."""
    wide = either(obj("a", a=INT), NULL)
    assert gaps(obj(a=INT), wide) == (Gap("a", GapKind.REQUIRED, "optional", "required"),)
    assert gaps(either(INT, STR), either(NULL, INT)) == (Gap("", GapKind.TYPE, "string", "null or integer"),)


def test_a_gap_in_a_type_that_is_used_twice_is_told_at_both_places() -> None:
    def doc(value: Schema) -> dict[str, Any]:
        return {**obj(a=NODE, b=NODE), "$defs": {"Node": obj(v=value)}}

    assert [gap.path for gap in gaps(doc(NUM), doc(INT))] == ["a.v", "b.v"]


SCALARS = st.sampled_from([INT, NUM, STR, NULL, {"type": "boolean"}]) | st.one_of(
    st.builds(lambda n: {**INT, "minimum": n}, st.integers(-2, 2)),
    st.builds(lambda n: {**NUM, "exclusiveMaximum": n}, st.integers(-2, 2)),
    st.builds(lambda n: {**STR, "maxLength": n}, st.integers(0, 3)),
    st.builds(lambda v: {"enum": v}, st.lists(st.sampled_from(["a", "bb", 1, 2]), min_size=1, unique=True)),
)
FIELDS = ("a", "b", "c")


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda properties, required, closed: obj(
            *(n for n in required if n in properties), closed=closed, **properties
        ),
        st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
        st.sets(st.sampled_from(FIELDS)),
        st.booleans(),
    )


SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(arr, inner, minItems=st.integers(0, 2)),
        st.builds(either, inner, inner),
        st.builds(lambda v: {"type": "object", "additionalProperties": v}, inner),
        st.builds(lambda a, b: {"type": "array", "prefixItems": [a, b], "minItems": 2, "maxItems": 2}, inner, inner),
        _objects(inner),
    ),
    max_leaves=5,
)  # fmt: skip
NUMBERS = st.integers(-3, 3) | st.sampled_from([-0.5, 0.5, 1.5])
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "bb", "ccc"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)


def _is(value: object, schema: Schema) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def _has_only_known_keys(value: object, schema: Schema) -> bool:
    """Whether objects in a value have only keys that the schema names or describes."""
    if not isinstance(schema, dict):
        return True
    if "anyOf" in schema:
        return any(_is(value, one) and _has_only_known_keys(value, one) for one in schema["anyOf"])
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        items = [*prefix, *[schema.get("items", True)] * len(value)]
        return all(_has_only_known_keys(v, s) for v, s in zip(value, items, strict=False))
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        if not isinstance(more, dict) and value.keys() - known.keys():
            return False
        return all(_has_only_known_keys(v, known.get(k, more)) for k, v in value.items())
    return True


@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=30))
@settings(max_examples=400)
def test_a_value_that_fits_the_inner_only_is_a_gap(
    inner: Schema, outer: Schema, values: list[object]
) -> None:
    """No breaking change is missed: whatever a validator tells apart has a gap."""
    told_apart = [
        value
        for value in values
        if _is(value, inner) and not _is(value, outer) and _has_only_known_keys(value, inner)
    ]
    if told_apart:
        assert gaps(inner, outer), json.dumps(told_apart[0])


@given(SCHEMAS)
def test_a_schema_fits_itself(schema: Schema) -> None:
    """Equal by content, not by being the same object."""
    assert gaps(schema, json.loads(json.dumps(schema))) == ()


class Inner(pydantic.BaseModel):
    """What a chainlet may take."""

    name: str
    next: Inner | None = None
    scores: dict[str, float] = {}


def test_schemas_of_models_fit_themselves() -> None:
    """With references, recursion, defaults and dictionaries."""
    schema = Inner.model_json_schema()
    assert gaps(schema, json.loads(json.dumps(schema))) == ()
