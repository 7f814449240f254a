"""The HTTP front of a chainlet, called as an ASGI app."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import pydantic
import pytest

import chainctl as chains
from chainctl.calls.call_context import CallContext
from chainctl.sdk.declaration import declaration_of
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.server.app import ChainletApp
from chainctl.server.openapi import openapi
from chainctl.server.service import ChainletService
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Call, Health, Load, Reply
from tests.unit.worker.loopback import run

JSON = {"content-type": "application/json"}
GZIP = {**JSON, "content-encoding": "GZip"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
TOKEN = {"x-chainctl-token": "secret"}


class Error(pydantic.BaseModel):
    """A user's model may be called like a part of our own document."""

    at: int


class Item(pydantic.BaseModel):
    name: str
    size: int = 1
    error: Error | None = None


class Echo(chains.ChainletBase):
    def run_remote(self, item: Item, times: int = 2) -> list[Item]:
        if item.name == "bad":
            raise KeyError("no bad items")
        return [item] * times


class Letters(chains.ChainletBase):
    async def run_remote(self, word: str) -> AsyncIterator[str]:
        for letter in word:
            if letter == "!":
                raise ValueError("no exclamation marks")
            yield letter


class Talk(chains.ChainletBase):
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        await websocket.send_text("hello")


class Answered:
    """What an app sent: status, headers, body, and the parts that it came in."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.is_complete = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.parts.append(message["body"])
            self.is_complete = not message.get("more_body", False)

    @property
    def json(self) -> Any:
        return json.loads(b"".join(self.parts))

    @property
    def error_kind(self) -> str:
        return str(self.json["error"]["kind"])


def app_of(cls: Any, **options: Any) -> ChainletApp:
    service = ChainletService(cls.__name__, **options)
    service.worker = InProcessWorker(declaration_of(cls), cls())
    return ChainletApp(service)


async def exchange(
    app: ChainletApp,
    method: str,
    path: str,
    headers: Mapping[str, str],
    bodies: tuple[bytes, ...],
    *,
    answered: Answered | None = None,
) -> Answered:
    answered = answered or Answered()
    messages = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if messages:
        messages[-1]["more_body"] = False
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(waiting, None)
        if message is None and messages:
            await asyncio.Event().wait()  # the client is there until it has its answer
        return message or {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, answered.send)
    return answered


def ask(
    app: ChainletApp,
    method: str,
    path: str,
    *bodies: bytes,
    headers: Mapping[str, str] = JSON,
) -> Answered:
    return run(exchange(app, method, path, headers, bodies or (b"",)))


def test_call() -> None:
    """A call is JSON in and JSON out, however the body is cut."""
    for bodies in ((b'{"item": {"name": "a"}}',), (b'{"item": ', b'{"name": "a"', b"", b"}}")):
        answered = ask(app_of(Echo), "POST", "/run_remote", *bodies)
        assert (answered.status, answered.headers["content-type"]) == (200, "application/json")
        assert answered.json == [{"name": "a", "size": 1, "error": None}] * 2
        assert answered.headers["content-length"] == str(len(b"".join(answered.parts)))


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON", ""]
)
def test_content_types_of_json(content_type: str) -> None:
    """JSON may be announced with parameters, in any case, or not at all."""
    headers = {"content-type": content_type} if content_type else {}
    assert ask(app_of(Echo), "POST", "/run_remote", b'{"item": {"name": "a"}}', headers=headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "kind"),
    [
        ("POST", "/run_remote", b"{", JSON, 400, "malformed"),
        ("POST", "/run_remote", b"{}", JSON, 422, "invalid_input"),
        ("POST", "/run_remote", b"[]", JSON, 422, "invalid_input"),
        ("POST", "/run_remote", b"", JSON, 422, "invalid_input"),
        ("POST", "/run_remote", b"a=1", FORM, 415, "unsupported_media_type"),
        ("POST", "/run_remote", b"\x1f\x8b", GZIP, 415, "unsupported_media_type"),
        ("POST", "/run_remote", b"x" * 101, JSON, 413, "too_large"),
        ("POST", "/run_remote", b'{"item": {"name": "bad"}}', JSON, 500, "user"),
        ("GET", "/run_remote", b"", {}, 405, "method_not_allowed"),
        ("POST", "/healthz", b"", {}, 405, "method_not_allowed"),
        ("DELETE", "/schema", b"", {}, 405, "method_not_allowed"),
        ("GET", "/", b"", {}, 404, "not_found"),
        ("POST", "/run_remote/", b"", JSON, 404, "not_found"),
        ("GET", "/metrics", b"", {}, 404, "not_found"),
    ],
)  # fmt: skip
def test_refusals(
    method: str, path: str, body: bytes, headers: Mapping[str, str], status: int, kind: str
) -> None:
    """Each way to ask wrongly has its status and its kind, always as JSON."""
    answered = ask(app_of(Echo, body_limit=100), method, path, body, headers=headers)
    assert (answered.status, answered.error_kind) == (status, kind)
    assert answered.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/run_remote", "POST"), ("PUT", "/run_remote", "POST"), ("POST", "/schema", "GET, HEAD")],
)
def test_wrong_method_is_told_the_right_one(method: str, path: str, allowed: str) -> None:
    """As RFC 9110 wants it of 405."""
    assert ask(app_of(Echo), method, path).headers["allow"] == allowed


def test_conversation_by_post_is_told_to_upgrade() -> None:
    """No exception of Python's is shown for it."""
    answered = ask(app_of(Talk), "POST", "/run_remote", b"{}")
    assert (answered.status, answered.error_kind) == (426, "upgrade_required")
    assert answered.headers["upgrade"] == "websocket"


def test_big_body_is_refused_before_it_is_read() -> None:
    """Reading stops at the limit, wherever the body would have ended."""
    parts = (b"x" * 60, b"x" * 60, b"never read")
    assert ask(app_of(Echo, body_limit=100), "POST", "/run_remote", *parts).status == 413


def test_request_that_breaks_off() -> None:
    """A client that goes away in the middle of its request is not called for."""
    calls: list[bytes] = []

    class Recording:
        is_websocket = False

        async def call(self, call: Call) -> Reply:
            calls.append(bytes(call.body))
            return Reply(200, b"")

        async def health(self) -> Health:
            return Health(True)

        async def websocket(self, socket: WebSocketProtocol, context: CallContext) -> None:
            raise AssertionError("nobody asks for it")

        def drain(self) -> None:
            raise AssertionError("nobody ends it")

        def load(self) -> Load:
            raise AssertionError("nobody asks for it")

        def schemas(self) -> dict[str, Any]:
            return {}

    service = ChainletService("Recording")
    service.worker = Recording()
    app = ChainletApp(service)
    assert run(exchange(app, "POST", "/run_remote", JSON, ())).status == 400
    assert calls == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/run_remote", 401), ("/schema", 401), ("/openapi.json", 401), ("/healthz", 200), ("/readyz", 200)],
)
def test_token(path: str, status: int) -> None:
    """Where a chain has an internal token, all but the health routes want it."""
    app = app_of(Echo, token="secret")
    method = "POST" if path == "/run_remote" else "GET"
    body = b'{"item": {"name": "a"}}'
    assert ask(app, method, path, body, headers=JSON).status == status
    assert ask(app, method, path, body, headers={**JSON, "x-chainctl-token": "wrong"}).status == status
    assert ask(app, method, path, body, headers={**JSON, **TOKEN}).status == 200


def test_before_the_chainlet_is_there() -> None:
    """While a chainlet boots the process is alive but not ready, and calls may safely come again."""
    app = ChainletApp(ChainletService("Echo"))
    assert ask(app, "GET", "/healthz").json == {"status": "ok"}
    ready = ask(app, "GET", "/readyz")
    assert (ready.status, ready.json) == (503, {"status": "starting", "chainlet": "Echo"})
    called = ask(app, "POST", "/run_remote", b"{}")
    assert (called.status, called.error_kind) == (503, "not_ready")
    assert (called.headers["x-chainctl-not-started"], called.headers["retry-after"]) == ("1", "1")
    assert ask(app, "GET", "/schema").status == 503


@pytest.mark.parametrize("healthy", [True, False])
def test_is_healthy_decides_readiness(healthy: bool) -> None:
    """What `is_healthy` says is what the readiness route says, with the reason."""

    class Checked(Echo):
        def is_healthy(self) -> bool:
            return healthy

    answered = ask(app_of(Checked), "GET", "/readyz")
    assert answered.status == (200 if healthy else 503)
    assert answered.json == {
        "status": "ready" if healthy else "unhealthy",
        "chainlet": "Checked",
        "reason": "" if healthy else "is_healthy returned False",
    }
    assert ask(app_of(Checked), "HEAD", "/healthz").status == 200


def test_user_exception() -> None:
    """A user's exception is a 500 whose body holds class, message and frames."""
    answered = ask(app_of(Echo), "POST", "/run_remote", b'{"item": {"name": "bad"}}')
    error = answered.json["error"]
    assert (error["exception_cls_name"], error["exception_message"]) == ("KeyError", "'no bad items'")
    assert [frame["name"] for frame in error["user_stack_trace"]] == ["run_remote"]


def test_stream() -> None:
    """A stream is sent in the parts that it is yielded in, without a length."""
    answered = ask(app_of(Letters), "POST", "/run_remote", b'{"word": "abc"}')
    assert (answered.status, answered.parts) == (200, [b"a", b"b", b"c", b""])
    assert "content-length" not in answered.headers
    assert answered.is_complete


def test_stream_that_fails() -> None:
    """A stream that fails is never ended properly, so that nobody takes it for whole."""
    answered = Answered()
    with pytest.raises(ValueError, match="exclamation"):
        run(exchange(app_of(Letters), "POST", "/run_remote", JSON, (b'{"word": "ab!"}',), answered=answered))
    assert answered.parts == [b"a", b"b"]
    assert not answered.is_complete


def test_schema() -> None:
    """The schema route gives the schemas of input and output."""
    schemas = ask(app_of(Echo), "GET", "/schema").json
    assert schemas["input"]["properties"]["times"]["default"] == 2
    assert schemas["output"]["type"] == "array"


# --- the OpenAPI document ----------------------------------------------------------------------


class Cat(pydantic.BaseModel):
    kind: str = pydantic.Field("cat", pattern="cat")
    parent: "Item | None" = None  # noqa: UP037  # as users write it


class Tree(pydantic.BaseModel):
    children: list[Tree] = []
    item: Item | None = None


class Box(pydantic.BaseModel):
    width: float

    @pydantic.computed_field
    def area(self) -> float:
        return self.width**2


class Shelf(pydantic.BaseModel):
    box: Box


class Measure(chains.ChainletBase):
    def run_remote(self, shelf: Shelf) -> list[Shelf]:
        return [shelf]


class Forest(chains.ChainletBase):
    def run_remote(self, tree: Tree, cats: list[Cat], errors: dict[str, Error]) -> dict[str, Tree | Item]:
        return {"a": tree}


def worker_schemas(cls: Any) -> dict[str, Any]:
    return InProcessWorker(declaration_of(cls), cls()).schemas()


def references(node: Any) -> list[str]:
    """All references in a document."""
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for item in node for ref in references(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("cls", [Echo, Letters, Measure, Forest])
def test_openapi_is_closed(cls: Any) -> None:
    """Every reference leads to a component, no definitions stay elsewhere, and errors keep their own form."""
    document = ask(app_of(cls), "GET", "/openapi.json").json
    components = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(components)
    assert "$defs" not in json.dumps(document)
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == cls.__name__
    operation = document["paths"]["/run_remote"]["post"]
    assert set(operation["responses"]) >= {"200", "400", "422", "500", "503"}
    error = operation["responses"]["500"]["content"]["application/json"]["schema"]["$ref"]
    assert components[error.rpartition("/")[2]]["required"] == ["error"]


def test_openapi_shares_models() -> None:
    """A model that has one form is there once, whatever it is called."""
    components = openapi("Echo", worker_schemas(Echo))["components"]["schemas"]
    assert set(components) == {"chainctl-error", "Error", "Item"}
    assert components["chainctl-error"]["required"] == ["error"]
    assert components["Error"]["properties"].keys() == {"at"}


def test_openapi_keeps_two_forms_apart() -> None:
    """A model may have one form as an argument and another as a result; so may what holds it."""
    document = openapi("Measure", worker_schemas(Measure))
    components = document["components"]["schemas"]
    assert set(components) == {"chainctl-error", "Box", "Box-Output", "Shelf", "Shelf-Output"}
    assert "area" not in components["Box"]["properties"]
    assert "area" in components["Box-Output"]["properties"]
    assert components["Shelf-Output"]["properties"]["box"] == {"$ref": "#/components/schemas/Box-Output"}
    result = document["paths"]["/run_remote"]["post"]["responses"]["200"]["content"]["application/json"]
    assert result["schema"]["items"] == {"$ref": "#/components/schemas/Shelf-Output"}


def test_openapi_relinks_discriminators() -> None:
    """The mapping of a tagged union is a set of references too."""
    mapping = {"cat": "#/$defs/Cat"}
    schemas = {
        "input": {
            "$defs": {"Cat": {"type": "object"}},
            "oneOf": [{"$ref": "#/$defs/Cat"}],
            "discriminator": {"propertyName": "kind", "mapping": mapping},
        },
        "output": {"type": "null"},
    }
    document = openapi("Pets", schemas)
    body = document["paths"]["/run_remote"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["discriminator"]["mapping"] == {"cat": "#/components/schemas/Cat"}


class Turns(chains.ChainletBase):
    """One at a time; the first one waits until the test lets it go."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=1))
    go: ClassVar[threading.Event]
    order: ClassVar[list[int]]

    async def preprocess(self, number: int) -> int:
        return number

    def run_remote(self, number: int) -> int:
        self.go.wait(20)
        self.order.append(number)
        return number


def test_a_full_queue_holds_up_neither_health_nor_order() -> None:
    """200 calls wait for one place while health is answered; they run as they came."""

    async def main() -> None:
        Turns.go, Turns.order = threading.Event(), []
        app = app_of(Turns)
        calls = [
            asyncio.create_task(exchange(app, "POST", "/run_remote", JSON, (b'{"number": %d}' % number,)))
            for number in range(201)
        ]
        worker = app.service.worker
        assert isinstance(worker, InProcessWorker)
        while worker.gate.waiting < 200:
            await asyncio.sleep(0)
        assert (await exchange(app, "GET", "/healthz", {}, (b"",))).status == 200
        assert Turns.order == []
        Turns.go.set()
        assert [(await one).json for one in calls] == list(range(201))
        assert Turns.order == list(range(201))

    run(main())
