"""The errors on the page of the HTTP interface against what a serving chainlet answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import chainctl as chains
from chainctl.sdk.declaration import declaration_of
from chainctl.server.app import ChainletApp, Message
from chainctl.server.service import DEFAULT_BODY_LIMIT, ChainletService
from chainctl.telemetry.telemetry import Telemetry
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.local import run_local
from tests.docs.blocks import ROOT, rows_of, section_of

PAGE = ROOT / "docs" / "http.md"
JSON = ("content-type", "application/json")


class HelloAll(chains.ChainletBase):
    """Takes what the documented chain takes; raises when nobody is named."""

    async def run_remote(self, names: list[str]) -> str:
        if not names:
            raise ValueError("no name")
        return "\n".join(f"Hello, {name}" for name in names)


class Enormous(bytes):
    """A body that claims to be larger than it is."""

    def __len__(self) -> int:
        return DEFAULT_BODY_LIMIT + 1


REQUESTS: dict[int, tuple[str, str, tuple[str, str], bytes]] = {
    200: ("POST", "/run_remote", JSON, b'{"names": ["Ada", "Grace"]}'),
    400: ("POST", "/run_remote", JSON, b"{"),
    404: ("POST", "/predict", JSON, b"{}"),
    405: ("GET", "/run_remote", JSON, b""),
    413: ("POST", "/run_remote", JSON, Enormous()),
    415: ("POST", "/run_remote", ("content-type", "text/plain"), b"{}"),
    422: ("POST", "/run_remote", JSON, b'{"name": "Ada"}'),
    500: ("POST", "/run_remote", JSON, b'{"names": []}'),
    503: ("POST", "/run_remote", JSON, b"{}"),
}


def starting(token: str | None = None) -> ChainletApp:
    """Return the app of a chainlet that has not booted."""
    return ChainletApp(ChainletService("HelloAll", token, telemetry=Telemetry("hello-all", "HelloAll")))


def serving() -> ChainletApp:
    """Return the app of a chainlet that has booted."""
    app = starting()
    with run_local():
        app.service.worker = InProcessWorker(declaration_of(HelloAll), HelloAll())
    return app


def ask(
    app: ChainletApp, method: str, path: str, header: tuple[str, str], body: bytes
) -> tuple[int, Any, dict[str, str]]:
    """Send one request and return status, body and headers of the answer; a body of JSON is parsed."""
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        if not waiting:
            await asyncio.get_running_loop().create_future()  # the caller stays
        return waiting.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(header[0].encode(), header[1].encode())]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    given = b"".join(m["body"] for m in sent[1:])
    is_json = answered["content-type"] == "application/json"
    return sent[0]["status"], json.loads(given) if is_json else given.decode(), answered


def documented(status: int) -> Any:
    """Return the body that the page shows for a status."""
    found = re.search(r"```json error\n(.*)\n```", section_of(PAGE, f"### {status}"))
    assert found
    return json.loads(found[1])


def without_frames(body: Any) -> Any:
    """Leave out the frames of a traceback: files differ from place to place."""
    body["error"].pop("user_stack_trace", None)
    return body


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422, 500, 503])
def test_errors_are_as_documented(status: int) -> None:
    """Each error has the status, the kind and the body that the page shows."""
    app = starting() if status == 503 else serving()
    answered, body, _ = ask(app, *REQUESTS[status])
    assert answered == status
    assert without_frames(body) == without_frames(documented(status))


def test_result_is_as_documented() -> None:
    """A call is answered with the result as JSON."""
    assert ask(serving(), *REQUESTS[200])[:2] == (200, "Hello, Ada\nHello, Grace")


def test_starting_says_that_no_work_was_begun() -> None:
    """While a chainlet starts, its answer says so in two headers."""
    _, _, headers = ask(starting(), *REQUESTS[503])
    assert (headers["x-chainctl-not-started"], headers["retry-after"]) == ("1", "1")


def test_frames_have_the_documented_keys() -> None:
    """A frame of a traceback has the keys that the page shows."""
    _, body, _ = ask(serving(), *REQUESTS[500])
    shown = documented(500)["error"]["user_stack_trace"]
    assert {frozenset(f) for f in body["error"]["user_stack_trace"]} == {frozenset(f) for f in shown}


def test_routes_are_as_documented() -> None:
    """Every route in the table answers, and without a token as the page says."""
    guarded = starting("secret")
    for method, path in routes():
        assert ask(serving(), method, path, JSON, REQUESTS[200][3])[0] == 200
        is_open = path in ("/healthz", "/readyz", "/openz")
        assert (ask(guarded, method, path, JSON, b"{}")[0] == 401) is not is_open


def routes() -> Iterator[tuple[str, str]]:
    """Yield method and path of the documented routes."""
    for route, _ in rows_of(PAGE.read_text(encoding="utf-8")):
        method, path = route.strip("`").split()
        yield method, path
