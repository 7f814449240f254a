"""What a model is given and what callers get, in every form that there is, from friends and strangers."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from typing import Any

import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.wire.frame import joined
from chainctl.wire.msgpack_form import packed, unpacked
from chainctl.wire.signature import ArgumentsCodec, Field
from tests.unit.worker.loopback import run
from tests.unit.worker.models.models import bytes_of, call, error_of, inner, raw, value_of, worker_of

MSGPACK = "application/octet-stream"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=20,
)


class Echo:
    """Gives back what it is given, and keeps it."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def predict(self, inputs: Any) -> Any:
        self.given.append(inputs)
        return inputs


@given(VALUES)
def test_values_in_json_and_msgpack(value: Any) -> None:
    """A body is the value, and so is the answer, in the form in which it was sent."""
    worker = worker_of(Echo())
    assert value_of(run(worker.call(call(value)))) == value
    answer = run(worker.call(raw(packed(value), MSGPACK)))
    assert (answer.content_type, unpacked(bytes_of(answer))) == (MSGPACK, value)


@given(st.binary(max_size=60), st.sampled_from(["application/json", MSGPACK, "text/plain", ""]))
def test_strangers_may_send_anything(body: bytes, media: str) -> None:
    """What cannot be read is told, and nothing else happens."""
    answer = run(worker_of(Echo()).call(raw(body, media)))
    assert answer.status in (200, 400)
    assert answer.status == 200 or error_of(answer)[1] == "malformed"


@given(st.binary(max_size=60), st.sampled_from(["application/vnd.chainctl.frame", "application/msgpack", ""]))
def test_chainlets_are_read_with_care(body: bytes, media: str) -> None:
    """A call from the chain that is none is told so, too."""
    assert run(worker_of(Echo()).call(inner(body, media))).status in (400, 422)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_json_under_other_names(media: str) -> None:
    """What a client forgot to call JSON is JSON all the same."""
    assert value_of(run(worker_of(Echo()).call(raw(b'{"a": [1]}', media)))) == {"a": [1]}


def test_arrays_in_msgpack() -> None:
    """They arrive as arrays that can be written to, and go back as arrays."""
    model = Echo()
    array = numpy.arange(6, dtype="float32").reshape(2, 3)
    for media in (MSGPACK, "application/msgpack"):
        answer = run(worker_of(model).call(raw(packed({"array": array, "n": numpy.int64(3)}), media)))
        assert answer.content_type == media
        back = unpacked(bytes_of(answer))
        assert back["array"].dtype == array.dtype
        assert (back["array"] == array).all()
        assert back["n"] == 3
        model.given[-1]["array"] += 1


class Point(pydantic.BaseModel):
    x: int
    y: Any = None


@dataclasses.dataclass
class Named:
    name: str


RESULTS: list[tuple[Any, Any]] = [
    ({"a": numpy.arange(3), "b": numpy.float32(0.5)}, {"a": [0, 1, 2], "b": 0.5}),
    (numpy.array([[True, False]]), [[True, False]]),
    ([Point(x=1, y=numpy.ones(2))], [{"x": 1, "y": [1.0, 1.0]}]),
    (Named("a"), {"name": "a"}),
    (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00Z"),
    ({"s": {1}, "t": (1, 2), 3: "c"}, {"s": [1], "t": [1, 2], "3": "c"}),
    (b"\xff", "_w=="),
    (None, None),
]


@pytest.mark.parametrize(("result", "expected"), RESULTS, ids=[type(r[0]).__name__ for r in RESULTS])
def test_results_in_json(result: Any, expected: Any) -> None:
    """Arrays are lists, models are mappings, and times are texts."""

    class Model:
        def predict(self) -> Any:
            return result

    assert value_of(run(worker_of(Model()).call(call()))) == expected


def test_numbers_that_json_does_not_know() -> None:
    """They are written as Python writes them."""

    class Model:
        def predict(self) -> Any:
            return [math.inf, numpy.array([math.nan])]

    assert bytes_of(run(worker_of(Model()).call(call()))) == b"[Infinity,[NaN]]"


class Strange:
    """No form is known for it."""


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("result", "media", "says"),
    [
        ({"a": [Strange()]}, "", f"an object of type {__name__}.Strange has no form in JSON"),
        ([object()], "", "an object of type object has no form in JSON"),
        (LOOP, "", "Circular reference"),
        ([Strange()], MSGPACK, "Strange"),
    ],
)
def test_results_that_cannot_be_sent(result: Any, media: str, says: str) -> None:
    """The answer says which method, and of which type the thing is that it returned."""

    class Model:
        def predict(self) -> Any:
            return result

    status, kind, message = error_of(run(worker_of(Model()).call(raw(b"\xc0" if media else b"null", media))))
    assert (status, kind) == (500, "invalid_output")
    assert message.startswith("`Model.predict` returned what cannot be sent: ")
    assert says in message


class Typed:
    """Its input is made of the body."""

    def preprocess(self, point: Point) -> int:
        return point.x

    def predict(self, x: int) -> Point:
        return Point(x=x + 1, y=numpy.arange(2))


def test_a_pydantic_model_as_input() -> None:
    """It is made of the body, in any form; what does not fit is told by its place."""
    worker = worker_of(Typed())
    assert value_of(run(worker.call(call({"x": 1})))) == {"x": 2, "y": [0, 1]}
    assert value_of(run(worker.call(inner(b'{"model_input": {"x": 2}}')))) == {"x": 3, "y": [0, 1]}
    binary = unpacked(bytes_of(run(worker.call(raw(packed({"x": 1}), MSGPACK)))))
    assert (binary["x"], binary["y"].tolist()) == (2, [0, 1])
    assert error_of(run(worker.call(call({"x": "a"}))))[:2] == (422, "invalid_input")
    assert "`x`" in error_of(run(worker.call(raw(packed({"x": []}), MSGPACK))))[2]
    assert error_of(run(worker.call(raw(b"{"))))[:2] == (400, "malformed")


def test_calls_from_the_chain() -> None:
    """Their one argument is the value, in each form that chainlets speak."""
    worker, array = worker_of(Echo()), numpy.arange(3)
    assert value_of(run(worker.call(inner(json.dumps({"model_input": [1]}).encode())))) == [1]
    answer = run(
        worker.call(inner(packed({"model_input": array}), "application/msgpack", "application/msgpack"))
    )
    assert (unpacked(bytes_of(answer)) == array).all()
    codec = ArgumentsCodec("Model", [Field("model_input", dict[str, bytes])])
    frame = joined(codec.encode_frame({"model_input": {"small": b"a", "large": b"b" * 5000}}))
    answer = run(worker.call(inner(frame, "application/vnd.chainctl.frame", "application/msgpack")))
    assert unpacked(bytes_of(answer)) == {"small": b"a", "large": b"b" * 5000}
    for wrong in (b"{}", b"[]", b'{"model_input": 1, "more": 2}'):
        assert error_of(run(worker.call(inner(wrong))))[:2] == (422, "invalid_input")
