"""JSON Schemas of a model, as far as its annotations say anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pydantic
import pytest
from starlette.requests import Request
from starlette.responses import Response

import chainctl as chains
from chainctl.graph.placeholders import placeholder
from chainctl.worker.models.schemas import schemas_of

INT, TEXT = {"type": "integer"}, {"type": "string"}
MISSING = placeholder("torch.Tensor")


class Point(pydantic.BaseModel):
    x: int


class Missing:
    def predict(self, inputs: MISSING) -> list[MISSING]: ...  # type: ignore[valid-type,empty-body]  # as an import leaves it


class Unresolved:
    def predict(self, inputs: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821  # the point of it
        return 1


class Asked:
    def preprocess(self, request: Request, inputs: Point) -> Any: ...
    def predict(self, inputs: str) -> int: ...  # type: ignore[empty-body]  # nobody calls it
    def postprocess(self, outputs: int) -> list[Point]: ...  # type: ignore[empty-body]  # nobody calls it


class Streams:
    async def predict(self, inputs: dict[str, int]) -> AsyncIterator[str]:
        yield ""


class Returned:
    def predict(self, request: Request) -> Generator[int, None, None]: ...  # type: ignore[empty-body]  # as above


class Answers:
    def predict(self, inputs: Any) -> Response: ...  # type: ignore[empty-body]  # nobody calls it


class Batched:
    @chains.batched(max_size=2, max_latency=0.1)
    def predict(self, inputs: list[int]) -> list[str | ValueError]: ...  # type: ignore[empty-body]  # as above


class Static:
    @staticmethod
    def predict(inputs: int) -> None: ...


class Bare:
    def predict(self, inputs): ...  # type: ignore[no-untyped-def]  # it says nothing


class Talks:
    async def websocket(self, websocket: Any) -> None: ...


class Odd:
    predict = 3


POINT = {
    "properties": {"x": {"title": "X", **INT}},
    "required": ["x"],
    "title": "Point",
    "type": "object",
}
CASES: list[tuple[Any, Any, Any]] = [
    (Missing, {}, {}),
    (Unresolved, {}, INT),
    (Asked, POINT, {"$defs": {"Point": POINT}, "items": {"$ref": "#/$defs/Point"}, "type": "array"}),
    (Streams, {"additionalProperties": INT, "type": "object"}, TEXT),
    (Returned, {}, INT),
    (Answers, {}, {}),
    (Batched, INT, TEXT),
    (Static, INT, {}),
    (Bare, {}, {}),
    (Talks, {}, {}),
    (Odd, {}, {}),
    (None, {}, {}),
]


@pytest.mark.parametrize(
    ("cls", "given", "made"), CASES, ids=[str(getattr(c[0], "__name__", "")) for c in CASES]
)
def test_schemas(cls: Callable[..., Any] | None, given: Any, made: Any) -> None:
    """What the first stage takes and the last one returns; nothing where nothing says, and no error."""
    assert schemas_of(cls) == (given, made)  # type: ignore[arg-type]  # all of them are classes
