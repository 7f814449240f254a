"""What a model's methods may look like, what they are called with, and what is refused when it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from chainctl import batched
from chainctl.errors import ChainsUsageError
from chainctl.worker.models.entry import entries_of
from tests.unit.worker.loopback import run
from tests.unit.worker.models.models import call, raw, value_of, worker_of

if TYPE_CHECKING:
    import starlette.requests as web


class Takes:
    """Each method of it has another shape."""

    def nothing(self) -> Any:
        return "nothing"

    def value(self, inputs: Any) -> Any:
        return inputs

    async def async_value(self, inputs: Any) -> Any:
        return inputs

    async def request(self, anything: Request) -> Any:
        return {"body": (await anything.body()).decode(), "path": anything.url.path}

    async def request_by_its_name(self, r: web.Request) -> Any:
        return await r.json()

    async def both(self, inputs: Any, request: Request) -> Any:
        return [inputs, await request.json(), request.headers.get("x-user")]

    async def the_other_way_round(self, request: Request, inputs: Any) -> Any:
        return [inputs, await request.json()]

    def with_defaults(self, inputs: Any, temperature: float = 0.5, *, request: Request) -> Any:
        return [inputs, temperature, request.method]

    def by_name_only(self, *, inputs: Any) -> Any:
        return inputs

    def whatever(self, *args: Any, **kwargs: Any) -> Any:
        return [list(args), kwargs]


SHAPES: list[tuple[Callable[..., Any], Any]] = [
    (Takes.nothing, "nothing"),
    (Takes.value, {"a": 1}),
    (Takes.async_value, {"a": 1}),
    (Takes.request, {"body": '{"a": 1}', "path": "/v1/models/model:predict"}),
    (Takes.request_by_its_name, {"a": 1}),
    (Takes.both, [{"a": 1}, {"a": 1}, "ada"]),
    (Takes.the_other_way_round, [{"a": 1}, {"a": 1}]),
    (Takes.with_defaults, [{"a": 1}, 0.5, "POST"]),
    (Takes.by_name_only, {"a": 1}),
    (Takes.whatever, [[{"a": 1}], {}]),
]


@pytest.mark.parametrize(("predict", "expected"), SHAPES, ids=[s[0].__name__ for s in SHAPES])
def test_shapes_of_predict(predict: Callable[..., Any], expected: Any) -> None:
    """A method gets its input, the request, both or nothing, whichever way it asks."""
    model = type("Model", (), {"predict": predict})()
    assert value_of(run(worker_of(model).call(call({"a": 1}, x_user="ada")))) == expected


@pytest.mark.parametrize("method", [Takes.request, Takes.nothing])
def test_a_body_that_nobody_asks_for_is_not_parsed(method: Callable[..., Any]) -> None:
    """Whoever takes the request alone reads the body itself, whatever it is; who takes nothing has none."""
    model = type("Model", (), {"predict": method})()
    answer = run(worker_of(model).call(raw(b"\xff no JSON", "text/weird")))
    assert answer.status == (500 if method is Takes.request else 200)  # the model itself decodes it as text


class AllStages:
    """The request reaches each stage; what one returns is what the next one takes."""

    async def preprocess(self, inputs: Any, request: Request) -> Any:
        return [inputs, request.headers["x-user"]]

    def predict(self, inputs: Any, request: Request) -> Any:
        return [*inputs, request.method]

    def postprocess(self, outputs: Any, request: Request) -> Any:
        return [*outputs, request.url.path]


def test_the_request_reaches_each_stage() -> None:
    """Each call has its own request."""
    worker = worker_of(AllStages())
    for user in ("ada", "bob"):
        answer = run(worker.call(call(1, x_user=user)))
        assert value_of(answer) == [1, user, "POST", "/v1/models/model:predict"]


def test_what_the_chain_adds_is_not_shown() -> None:
    """No header of our own gets to user code: the token is one."""

    class Model:
        def predict(self, request: Request) -> Any:
            return dict(request.headers)

    answer = value_of(run(worker_of(Model()).call(call(1, x_chainctl_token="secret", x_user="ada"))))
    assert answer == {"content-type": "application/json", "x-user": "ada"}


def method(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    return {name: function}


async def _socket(self: Any, websocket: Any) -> None: ...
async def _generator(self: Any, inputs: Any) -> Any:
    yield inputs


def _two(self: Any, inputs: Any, other: Any) -> Any: ...
def _request_only(self: Any, request: Request) -> Any: ...
def _value(self: Any, value: Any) -> Any: ...
def _nothing(self: Any) -> Any: ...


_BATCHED: Any = batched(max_size=2, max_latency=0.1)
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "`Model` has no `predict`"),
    ({"predict": 3}, "`Model.predict` is no method"),
    ({"predict": _two}, "`Model.predict` takes `other` besides its input"),
    ({"predict": _value, "websocket": _socket}, "`Model` has `predict` and `websocket`"),
    ({"websocket": _value}, "`Model.websocket` is not `async def"),
    ({"websocket": _nothing}, "`Model.websocket` is not `async def"),
    ({"preprocess": _value, "predict": _request_only}, "what `Model.preprocess` returns would be lost"),
    ({"predict": _value, "postprocess": _request_only}, "what `Model.predict` returns would be lost"),
    ({"predict": _generator, "postprocess": _value}, "`Model.predict` yields"),
    ({"predict": _BATCHED(_request_only)}, "`Model.predict` is batched"),
]


@pytest.mark.parametrize(("members", "message"), WRONG, ids=[w[1] for w in WRONG])
def test_models_that_cannot_be_called(members: dict[str, Any], message: str) -> None:
    """What cannot work is said when the model starts, with the name of the method."""
    with pytest.raises(ChainsUsageError) as raised:
        entries_of(type("Model", (), members)())
    assert message in raised.value.message
