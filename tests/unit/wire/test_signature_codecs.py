"""Arguments and results as JSON and back: what goes in comes out, what does not fit is named."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypeVar, Union

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from chainctl.wire.invalid import InvalidValue
from chainctl.wire.signature import REQUIRED, ArgumentsCodec, Field, ResultCodec

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Model(pydantic.BaseModel):
    name: str
    data: bytes = b""
    score: float = 0.0
    following: Optional[Model] = None


class Hexed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    data: bytes


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


Pet = Annotated[Union[Cat, Dog], pydantic.Field(discriminator="kind")]


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    data: bytes
    model: Optional[Model] = None


class Pair(NamedTuple):
    left: int
    right: bytes = b""


class Record(TypedDict):
    name: str
    data: NotRequired[bytes]
    models: NotRequired[list[Model]]


texts = st.text(max_size=8)
numbers = st.floats(allow_nan=False)
models = st.recursive(
    st.builds(Model, name=texts, data=st.binary(max_size=8), score=numbers),
    lambda inner: st.builds(Model, name=texts, data=st.binary(max_size=8), following=inner),
    max_leaves=3,
)

# JSON numbers have no timezone, dates no years below 1000 in every parser: stay in the common range.
moments = st.datetimes(min_value=datetime.datetime(1900, 1, 1), timezones=st.just(datetime.UTC))
records = st.fixed_dictionaries({"name": texts}, optional={"data": st.binary(), "models": st.lists(models)})
_CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, numbers),
    (complex, st.complex_numbers(allow_nan=False)),
    (bool, st.booleans()),
    (str, st.text()),
    (bytes, st.binary()),
    (type(None), st.none()),
    (Optional[bytes], st.none() | st.binary()),
    (Union[int, str], st.integers() | st.text()),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (datetime.datetime, moments),
    (datetime.date, st.dates(min_value=datetime.date(1900, 1, 1))),
    (datetime.time, st.times()),
    (datetime.timedelta, st.timedeltas(datetime.timedelta(days=-9), datetime.timedelta(days=9))),
    (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (uuid.UUID, st.uuids()),
    (list[int], st.lists(st.integers())),
    (list[list[bytes]], st.lists(st.lists(st.binary(max_size=4), max_size=3), max_size=3)),
    (dict[str, list[float]], st.dictionaries(texts, st.lists(numbers, max_size=3), max_size=3)),
    (dict[int, bytes], st.dictionaries(st.integers(), st.binary(max_size=4), max_size=3)),
    (tuple[int, str], st.tuples(st.integers(), texts)),
    (tuple[bytes, ...], st.lists(st.binary(max_size=4)).map(tuple)),
    (set[int], st.sets(st.integers())),
    (frozenset[bytes], st.frozensets(st.binary(max_size=4))),
    (Model, models),
    (list[Model], st.lists(models, max_size=3)),
    (Hexed, st.builds(Hexed, data=st.binary())),
    (Page[bytes], st.lists(st.binary(max_size=4)).map(lambda items: Page[bytes](items=items))),
    (Pet, st.builds(Cat, lives=st.integers()) | st.builds(Dog, name=texts)),
    (Point, st.builds(Point, x=numbers, data=st.binary(max_size=4), model=st.none() | models)),
    (Pair, st.builds(Pair, left=st.integers(), right=st.binary(max_size=4))),
    (Record, st.fixed_dictionaries({"name": texts}, optional={"data": st.binary(), "models": st.lists(models)})),
    (Annotated[list[int], pydantic.Field(max_length=3)], st.lists(st.integers(), max_size=3)),
    (Any, st.none() | st.booleans() | st.integers() | texts | st.lists(st.integers())),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "values"), _CASES, ids=[str(case[0]) for case in _CASES])
def test_values_come_back(annotation: Any, values: st.SearchStrategy[Any]) -> None:
    """Every value of a type survives the way over the wire, as a result and as an argument."""
    result = ResultCodec(annotation)
    arguments = ArgumentsCodec("Input", [Field("value", annotation)])

    @given(values)
    def check(value: Any) -> None:
        assert result.decode(result.encode(value)) == value
        assert arguments.decode(arguments.encode({"value": value})) == {"value": value}

    check()


def test_bytes_are_base64_at_every_depth() -> None:
    """Bytes have one form, alone, in containers, in models and in plain dataclasses."""
    assert ResultCodec(bytes).encode(b"\xff\x00") == b'"_wA="'
    assert ResultCodec(dict[str, bytes]).encode({"a": b"\xff\x00"}) == b'{"a":"_wA="}'
    assert ResultCodec(Hexed).encode(Hexed(data=b"\xff")) == b'{"data":"ff"}'
    point = Point(1.0, b"\xff\x00", Model(name="a", data=b"\xff\x00"))
    assert ResultCodec(Point).encode(point).count(b'"_wA="') == 2
    assert ArgumentsCodec("I", [Field("p", Point)]).encode({"p": point}).count(b'"_wA="') == 2


@pytest.mark.parametrize("text", [b'"_wA="', b'"/wA="'])
def test_bytes_from_other_encoders(text: bytes) -> None:
    """Clients may send base64 in either alphabet."""
    assert ResultCodec(bytes).decode(text) == b"\xff\x00"


def test_numbers_that_json_has_no_form_for() -> None:
    """NaN and infinities come back, also out of a model."""
    codec = ResultCodec(list[Model])
    found = codec.decode(codec.encode([Model(name="a", score=math.nan), Model(name="b", score=-math.inf)]))
    assert math.isnan(found[0].score)
    assert found[1].score == -math.inf


def test_results_are_checked() -> None:
    """A result that does not fit its type is refused with the path of each place."""
    with pytest.raises(InvalidValue) as caught:
        ResultCodec(dict[str, list[int]]).encode({"a": [1, "x"], "b": 3})
    assert [(m.path, m.kind) for m in caught.value.mismatches] == [("a.1", "int_parsing"), ("b", "list_type")]
    assert "`a.1`: Input should be a valid integer" in str(caught.value)
    with pytest.raises(InvalidValue, match="`value`: Input should be a valid string"):
        ResultCodec(str).encode(None)


def test_result_without_a_json_form() -> None:
    """A value that the type lets pass but JSON cannot hold is an error of the same kind."""
    with pytest.raises(InvalidValue, match="serialize unknown type"):
        ResultCodec(Any).encode({"at": object()})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidValue):
        ResultCodec(Any).encode(loop)


def test_arguments_not_given_stay_out() -> None:
    """Only what was given is sent, so that the function's own default holds on the other side."""
    codec = ArgumentsCodec("Input", [Field("a", int), Field("b", list[str], ["x"])])
    assert codec.encode({"a": 1}) == b'{"a":1}'
    assert codec.decode(b'{"a":1}') == {"a": 1}
    assert codec.encode({"a": 1, "b": []}) == b'{"a":1,"b":[]}'


@pytest.mark.parametrize(
    ("body", "path", "kind"),
    [
        (b'{"b": 1}', "a", "missing"),
        (b'{"a": 1, "c": 2}', "c", "extra_forbidden"),
        (b'{"a": "x"}', "a", "int_parsing"),
        (b'{"a": null}', "a", "int_type"),
        (b"[]", "", "dict_type"),
        (b"null", "", "dict_type"),
    ],
)
def test_arguments_are_checked(body: bytes, path: str, kind: str) -> None:
    """A missing, unknown or wrong argument is named; none of these is a malformed body."""
    codec = ArgumentsCodec("Input", [Field("a", int), Field("b", int, 3)])
    with pytest.raises(InvalidValue) as caught:
        codec.decode(body)
    assert (path, kind) in [(m.path, m.kind) for m in caught.value.mismatches]
    assert not caught.value.is_malformed


@pytest.mark.parametrize("body", [b"", b"{", b"a=1", b'{"a": 1,}', b"\xff\xfe", b'{"a": 1}}', b"[" * 10_000])
def test_malformed_bodies(body: bytes) -> None:
    """What is no JSON at all is malformed."""
    with pytest.raises(InvalidValue) as caught:
        ArgumentsCodec("Input", [Field("a", int)]).decode(body)
    assert caught.value.is_malformed


def test_malformed_text_in_a_field_is_no_malformed_body() -> None:
    """JSON inside a text field that does not parse is the field's problem."""
    codec = ArgumentsCodec("Input", [Field("a", pydantic.Json[list[int]])])
    assert codec.decode(b'{"a": "[1]"}') == {"a": [1]}
    with pytest.raises(InvalidValue) as caught:
        codec.decode(b'{"a": "[1"}')
    assert not caught.value.is_malformed


def test_encoding_arguments_names_the_argument() -> None:
    """A caller that passes something wrong learns which argument it is before anything is sent."""
    codec = ArgumentsCodec("Input", [Field("names", list[str])])
    with pytest.raises(InvalidValue, match=r"`names\.0`"):
        codec.encode({"names": [3]})
    with pytest.raises(InvalidValue, match="`nmaes`"):
        codec.encode({"nmaes": []})


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (int, 3, 3),
        (bytes, b"\xff", "_w=="),
        (
            Model,
            Model(name="a", data=b"\xff"),
            {"name": "a", "data": "_w==", "score": 0.0, "following": None},
        ),
        (Color, Color.BLUE, "blue"),
        (datetime.date, datetime.date(2024, 2, 29), "2024-02-29"),
        (Optional[int], None, None),
        (list[str], ["x"], ["x"]),
        (tuple[int, ...], (1, 2), [1, 2]),
    ],
)
def test_schema_shows_defaults(annotation: Any, default: Any, shown: Any) -> None:
    """The schema of arguments holds the function's defaults, in the form that they have on the wire."""
    schema = ArgumentsCodec("Input", [Field("value", annotation, default)]).schema()
    assert schema["properties"]["value"]["default"] == shown
    assert "required" not in schema


@pytest.mark.parametrize("default", [object(), "not a number"])
def test_schema_leaves_out_other_defaults(default: object) -> None:
    """A default that is no value of its type cannot be shown, and does no harm."""
    schema = ArgumentsCodec("Input", [Field("value", int, default)]).schema()
    assert "default" not in schema["properties"]["value"]


def test_schema_of_bytes() -> None:
    """Bytes are described as what they are in JSON, also in models and under a length limit."""
    assert ResultCodec(bytes).schema() == {"type": "string", "format": "base64url"}
    assert ResultCodec(Model).schema()["$defs"]["Model"]["properties"]["data"]["format"] == "base64url"
    limited = ResultCodec(Annotated[bytes, pydantic.Field(max_length=3)])
    assert limited.schema() == {"type": "string", "format": "base64url"}
    assert ResultCodec(Hexed).schema()["properties"]["data"]["format"] == "binary"


def test_schema_of_a_model_named_like_the_arguments() -> None:
    """A user's model may have the name that the object of arguments gets."""

    class Input(pydantic.BaseModel):
        name: str

    codec = ArgumentsCodec("Input", [Field("value", Input), Field("more", list[Input], [])])
    schema = codec.schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {"value", "more"}
    assert codec.decode(b'{"value": {"name": "a"}}') == {"value": Input(name="a")}


def test_required_is_not_a_default() -> None:
    """An argument is required unless it has a default, even if that is None."""
    fields = [Field("a", int), Field("b", Optional[int], None)]
    assert fields[0].default is REQUIRED
    assert ArgumentsCodec("Input", fields).schema()["required"] == ["a"]


def test_mutable_values_are_not_shared() -> None:
    """What is decoded is new: changing it does not change what was encoded."""
    codec = ResultCodec(list[Model])
    given_value = [Model(name="a")]
    found = codec.decode(codec.encode(given_value))
    found[0].name = "b"
    assert given_value[0].name == "a"


@given(st.binary(max_size=64))
def test_decoding_never_fails_otherwise(body: bytes) -> None:
    """Whatever the bytes, decoding gives arguments or an InvalidValue."""
    codec = ArgumentsCodec("Input", [Field("a", Model), Field("b", Pet, None)])
    _decoded_or_invalid(lambda: codec.decode(body))


def _decoded_or_invalid(decode: Callable[[], object]) -> None:
    try:
        decode()
    except InvalidValue as error:
        str(error)
