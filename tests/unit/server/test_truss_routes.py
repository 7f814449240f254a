"""The routes of a Truss server, for a model, for a chainlet that is called like one, and for who has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

import chainctl as chains
from chainctl.sdk.declaration import declaration_of
from chainctl.server.app import ChainletApp
from chainctl.server.service import ChainletService
from chainctl.server.truss_routes import meanings_of
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.models.model_worker import ModelWorker
from tests.unit.server.test_app import JSON, TOKEN, Answered, ask
from tests.unit.server.test_websocket import Peer, text
from tests.unit.worker.loopback import run

PREDICT = "/v1/models/model:predict"
READY = {"status": "ready", "chainlet": "greeter", "reason": ""}
STARTING = {"status": "starting", "chainlet": "greeter"}


class Greeting(pydantic.BaseModel):
    text: str


class Model:
    is_well = True

    def predict(self, inputs: Any, request: Request) -> Greeting:
        return Greeting(text=f"{inputs} {request.url.path} {request.url.query}")

    def embeddings(self, inputs: Any) -> list[int]:
        return [inputs]

    def is_healthy(self) -> bool:
        return self.is_well


class Chainlet(chains.ChainletBase):
    def run_remote(self, number: int) -> int:
        return number + 1


def app_of(model: Any, token: str | None = None) -> ChainletApp:
    """A service of a model; None: it is starting."""
    service = ChainletService("greeter", token)
    service.serves_truss_routes = service.takes_any_media = True
    service.worker = None if model is None else ModelWorker("greeter", model)
    return ChainletApp(service)


def get(app: ChainletApp, path: str, headers: Mapping[str, str] = JSON) -> tuple[int, Any]:
    answered = ask(app, "GET", path, headers=headers)
    return answered.status, answered.json


def post(app: ChainletApp, path: str, value: Any, headers: Mapping[str, str] = JSON) -> Answered:
    return ask(app, "POST", path, json.dumps(value).encode(), headers=headers)


def test_health_of_a_model() -> None:
    """It is alive at once, and ready when it is loaded and feels well."""
    model = Model()
    starting, app = app_of(None), app_of(model)
    assert get(starting, "/") == get(app, "/") == (200, True)
    for path in ("/v1/models/model", PREDICT, "/ping", "/readyz"):
        assert get(starting, path) == (503, STARTING)
        assert get(app, path) == (200, READY)
    assert get(starting, "/v1/models/model/loaded") == (503, STARTING)
    assert get(starting, "/v1/models/model/schema") == (503, STARTING)
    assert post(starting, PREDICT, 1).error_kind == "not_ready"
    model.is_well = False
    assert get(app, "/v1/models/model")[0] == 503
    assert get(app, "/v1/models/model/loaded") == (200, {"status": "loaded", "chainlet": "greeter"})
    assert ask(app, "HEAD", "/v1/models/model/loaded").status == 200


@pytest.mark.parametrize(
    "path",
    [PREDICT, "/v1/models/anything:predict_binary", "/invocations", "/run_remote", "/v1/models/m%20:predict"],
)
def test_predict(path: str) -> None:
    """All of these call `predict`, whatever the content type; the model sees where it was called."""
    for headers in (JSON, {}, {"content-type": "application/x-www-form-urlencoded"}):
        answered = post(app_of(Model()), path, "hi", headers)
        assert (answered.status, answered.json) == (200, {"text": f"hi {path} "})
        assert "x-request-id" in answered.headers


def test_other_methods_of_a_model() -> None:
    """Those that it has are served, the others are not there, and a model without `predict` has none."""
    app = app_of(Model())
    assert post(app, "/v1/embeddings", 7).json == [7]
    assert post(app, "/v1/chat/completions", 7).status == 404

    class OnlyChat:
        async def chat_completions(self, inputs: Any) -> Any:
            return inputs

    chat = app_of(OnlyChat())
    assert post(chat, "/v1/chat/completions", 7).json == 7
    for path in (PREDICT, "/run_remote"):
        assert (post(chat, path, 7).status, post(chat, path, 7).error_kind) == (404, "not_found")


def test_a_header_that_a_response_has_twice() -> None:
    """Both come, beside those that the service adds."""

    class Baker:
        def predict(self, inputs: Any) -> PlainTextResponse:
            response = PlainTextResponse("baked")
            response.set_cookie("a", "1")
            response.set_cookie("b", "2")
            return response

    sent: list[Any] = []
    given = [{"type": "http.request", "body": b"{}"}]

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return given.pop() if given else await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "path": PREDICT, "query_string": b"", "headers": []}
    run(app_of(Baker())(scope, receive, send))
    names = [name for name, _ in sent[0]["headers"]]
    assert names.count(b"set-cookie") == 2
    assert {b"content-type", b"content-length", b"x-request-id"} <= set(names)


def test_schema_of_a_model() -> None:
    """It tells what annotations say; where they say nothing, there is none."""

    class Bare:
        def predict(self, inputs): ...  # type: ignore[no-untyped-def]  # it says nothing

    class Streams:
        def predict(self, inputs: int):  # type: ignore[no-untyped-def]  # as far as it says something
            yield inputs

    status, schema = get(app_of(Model()), "/v1/models/model/schema")
    assert (status, schema["input_schema"], schema["supports_streaming"]) == (200, None, False)
    assert schema["output_schema"]["properties"]["text"]["type"] == "string"
    assert get(app_of(Streams()), "/v1/models/model/schema")[1]["supports_streaming"] is True
    assert get(app_of(Bare()), "/v1/models/model/schema")[0] == 404
    assert get(app_of(Model()), "/schema")[1].keys() == {"input", "output"}
    assert get(app_of(Bare()), "/openapi.json")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("DELETE", PREDICT, 405),
        ("GET", "/v1/embeddings", 405),
        ("GET", "/invocations", 405),
        ("POST", "/v1/models/model", 405),
        ("POST", "/v1/models/model:other", 404),
        ("POST", "/v1/models/:predict", 404),
        ("POST", "/v1/models/a/b:predict", 404),
        ("POST", "/-/v1/models/model:predict", 404),
        ("POST", "/-/invocations", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int) -> None:
    """Other paths and methods are refused as everywhere."""
    assert ask(app_of(Model()), method, path).status == status


def test_who_may_call() -> None:
    """Health is for all; calls and schemas are for who has the chain's token."""
    app = app_of(Model(), "secret")
    for path in ("/", "/ping", "/v1/models/model", "/v1/models/model/loaded", PREDICT):
        assert get(app, path)[0] == 200
    for path in (PREDICT, "/invocations", "/v1/embeddings", "/run_remote"):
        assert post(app, path, 1).status == 401
        assert post(app, path, 1, {**JSON, **TOKEN}).status == 200
    assert get(app, "/v1/models/model/schema")[0] == 401
    assert get(app, "/v1/models/model/schema", TOKEN)[0] == 200


def test_a_chainlet_that_is_called_like_a_model() -> None:
    """It has `predict` at the same routes, with its arguments by name, and no other method."""
    service = ChainletService("Chainlet")
    service.serves_truss_routes = True
    service.worker = InProcessWorker(declaration_of(Chainlet), Chainlet())
    app = ChainletApp(service)
    assert post(app, PREDICT, {"number": 1}).json == 2
    assert post(app, "/v1/embeddings", {"number": 1}).status == 404
    assert post(app, PREDICT, {"number": 1}, {"content-type": "text/csv"}).status == 415
    assert get(app, "/v1/models/model/schema")[1]["output_schema"] == {"type": "integer"}


def test_chainlets_have_none_of_these_routes() -> None:
    """An ordinary service answers at its own routes alone."""
    service = ChainletService("Chainlet")
    service.worker = InProcessWorker(declaration_of(Chainlet), Chainlet())
    app = ChainletApp(service)
    assert [get(app, path)[0] for path in ("/", "/ping", "/v1/models/model")] == [404, 404, 404]
    assert post(app, PREDICT, {"number": 1}).status == 404


@given(st.text(max_size=30) | st.from_regex(r"/v1/models/.{0,20}(:predict|/schema)", fullmatch=True))
def test_any_path_means_something_or_nothing(path: str) -> None:
    """No path is an error, and none below our own is anything else."""
    assert all(method in ("GET", "POST") for method in meanings_of(path))
    assert meanings_of("/-" + path) == {}


class Talks:
    """Speaks on the connection that starlette makes, and goes on until the other side leaves."""

    def __init__(self) -> None:
        self.left: list[int] = []

    async def websocket(self, websocket: WebSocket) -> None:
        await websocket.send_text(str(sorted(websocket.headers)))
        try:
            while (message := await websocket.receive_text()) != "end":
                await websocket.send_json({"got": message})
        except WebSocketDisconnect as gone:
            self.left.append(gone.code)
            raise
        if websocket.headers.get("host") == "h\xe9":
            await websocket.close(3003, "enough")


def talk(*messages: str) -> tuple[list[Any], list[int]]:
    """Talk to it; what was sent without the first message, and with which codes we left."""
    model, peer = Talks(), Peer(*map(text, messages))
    worker = ModelWorker("greeter", model)
    sent = peer.serve(lambda socket: worker.websocket(socket, ChainletService("a").context({})))
    assert sent.pop(0) == {"type": "websocket.send", "text": "['X-A', 'host', 'x-a']"}
    assert worker.gate.in_flight == 0
    return sent, model.left


def test_conversations_of_starlette(caplog: pytest.LogCaptureFixture) -> None:
    """It is the connection that user code knows; whoever closes it, it is closed once, and leaving is no error."""
    sent, left = talk("a", "end")
    assert sent == [
        {"type": "websocket.send", "text": '{"got":"a"}'},
        {"type": "websocket.close", "code": 3003, "reason": "enough"},
    ]
    assert left == []
    sent, left = talk("a")
    assert (sent, left) == ([{"type": "websocket.send", "text": '{"got":"a"}'}], [1001])
    assert "raised" not in caplog.text


def test_conversations_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """One that returns ends with 1000, one that raises with 1011."""

    class Fails:
        async def websocket(self, websocket: WebSocket) -> None:
            if await websocket.receive_text() == "fail":
                raise ValueError("no")

    def closed_with(message: str) -> int:
        worker = ModelWorker("greeter", Fails())
        sent = Peer(text(message)).serve(
            lambda socket: worker.websocket(socket, ChainletService("a").context({}))
        )
        return int(sent[-1]["code"])

    assert [closed_with("go"), closed_with("fail")] == [1000, 1011]


def test_a_query_reaches_the_model() -> None:
    """The request that user code sees has it."""
    app, answered = app_of(Model()), Answered()
    scope = {
        **{"type": "http", "method": "POST", "path": PREDICT, "query_string": b"a=1"},
        "headers": [(b"content-type", b"application/json")],
    }
    messages = iter([{"type": "http.request", "body": b'"q"'}])

    async def receive() -> Any:
        message = next(messages, None)
        if message is None:
            await asyncio.Event().wait()  # the client is there until it has its answer
        return message

    run(app(scope, receive, answered.send))
    assert answered.json == {"text": f"q {PREDICT} a=1"}
