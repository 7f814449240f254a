"""Stubs for services outside the chain, against a server on loopback that answers what a test wrote down."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import msgpack
import pydantic
import pytest

import chainctl as chains
from chainctl.calls.remote_error import RemoteFault
from chainctl.sdk.read_secrets import READ_SECRETS
from tests.unit.worker.loopback import Loopback, Step, answer, chunk, loopback, run

CLOSE = "connection: close"
JSON = "content-type: application/json"
OCTETS = "content-type: application/octet-stream"
EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class Service(chains.StubBase):
    """Some service."""


class Score(pydantic.BaseModel):
    name: str
    score: float


def against(*steps: Step | bytes, work: Callable[[Loopback], Coroutine[Any, Any, None]]) -> None:
    """Serve steps and do some work against them."""

    async def serving() -> None:
        async with loopback(*steps) as served:
            await work(served)

    run(serving())


def context(**secrets: str) -> chains.DeploymentContext:
    return chains.DeploymentContext(chainlet_to_service={}, secrets=secrets)


@pytest.mark.parametrize(
    ("arguments", "options", "authorization"),
    [
        (("some-key\n",), {}, "Api-Key some-key"),
        (("some-key",), {"auth": "Bearer"}, "Bearer some-key"),
        ((), {"auth": None}, None),
        ((context(),), {"auth": None}, None),
        ((context(baseten_chain_api_key="k1"),), {}, "Api-Key k1"),
        ((context(openai="k2"),), {"auth": "Bearer", "secret": "openai"}, "Bearer k2"),
    ],
)
def test_authorization(arguments: Any, options: Any, authorization: str | None) -> None:
    """The key is given or a secret of the context; without a scheme no key is sent."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(f"{served.url}/v1/x?y=1", *arguments, headers={"X-Own": "é"}, **options)
        assert await stub.predict_async({"a": 1}) == {"b": 2}
        request = served.requests[0]
        assert request.line == "POST /v1/x?y=1 HTTP/1.1"
        assert request.headers.get("authorization") == authorization
        assert request.headers["x-own"] == "é"
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.body) == {"a": 1}

    against(answer(b'{"b": 2}', 200, CLOSE, JSON), work=work)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((), {}, chains.MissingDependencyError, "there is no key"),
        ((" \n",), {"auth": "Bearer"}, chains.MissingDependencyError, "there is no key"),
        ((context(),), {"secret": "openai"}, chains.MissingDependencyError, "`openai`"),
        (("key",), {"secret": "openai"}, chains.ChainsUsageError, "no context was given"),
        (("key",), {"auth": "Basic"}, chains.ChainsUsageError, "Api-Key"),
        (("key",), {"headers": {"x": "a\r\nb: c"}}, chains.ChainsUsageError, "no header can hold"),
        (("key",), {"headers": {"x y": "a"}}, chains.ChainsUsageError, "no header can hold"),
        (("ke\ny",), {}, chains.ChainsUsageError, "no header can hold"),
        (("€uro",), {}, chains.ChainsUsageError, "no header can hold"),
    ],
)
def test_what_does_not_go_together(
    arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    """A stub that could not call says so when it is made, and does not show the key."""
    with pytest.raises(error, match=message) as caught:
        Service.from_url("http://127.0.0.1:9", *arguments, **options)
    assert "€uro" not in str(caught.value)


def test_key_is_a_secret_from_then_on() -> None:
    """A key that was given as text is kept out of errors and logs as one of the context is."""
    Service.from_url("http://127.0.0.1:9", "key-of-a-stub-1")
    assert "key-of-a-stub-1" in READ_SECRETS.forms


def test_binary_calls() -> None:
    """With `use_binary` inputs are msgpack, and answers are read by what they say they are."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, "key", chains.RPCOptions(use_binary=True))
        assert await stub.predict_async({"data": b"\x00"}) == {"raw": b"\xff"}
        request = served.requests[0]
        assert (request.headers["content-type"], request.headers["accept"]) == (
            "application/octet-stream", "application/octet-stream, application/json",
        )  # fmt: skip
        assert msgpack.unpackb(request.body) == {"data": b"\x00"}
        assert await stub.predict_async(Score(name="a", score=1), Score) == Score(name="b", score=2)
        assert msgpack.unpackb(served.requests[1].body) == {"name": "a", "score": 1.0}
        assert await stub.predict_async({}, Score) == Score(name="c", score=3)

    against(
        answer(msgpack.packb({"raw": b"\xff"}), 200, CLOSE, OCTETS),
        answer(msgpack.packb({"name": "b", "score": 2}), 200, CLOSE, "content-type: application/msgpack"),
        answer(b'{"name": "c", "score": 3}', 200, CLOSE, JSON),
        work=work,
    )


@pytest.mark.parametrize(
    ("body", "content_type", "model", "message"),
    [
        (b"<html>", "content-type: text/html", None, "cannot be read"),
        (b"\xc1", OCTETS, None, "msgpack"),
        (b'{"name": "a"}', JSON, Score, "`score`: Field required"),
        (b"[" * 100_000, JSON, None, "cannot be read"),
    ],
)
def test_answers_that_cannot_be_read(body: bytes, content_type: str, model: Any, message: str) -> None:
    """What is not what it says, or no such model, is a fault of the other side that says where."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, auth=None)
        with pytest.raises(RemoteFault, match=message) as caught:
            await stub.predict_async({}, model)
        assert caught.value.status == 502

    against(answer(body, 200, CLOSE, content_type), work=work)


def test_error_answer_of_a_service() -> None:
    """The status and the text of a stranger's error are in the message."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, auth=None)
        with pytest.raises(chains.GenericRemoteException, match=r"`Service` answered 429: .*slow down"):
            await stub.predict_async({})
        with pytest.raises(chains.GenericRemoteException, match="answered 429"):
            async for _ in await stub.predict_async_stream({}):
                pass

    against(answer(b'{"error": {"message": "slow down", "type": "rate"}}', 429, CLOSE), work=work)


def test_stream_of_bytes() -> None:
    """A stream is given as it comes; who stops reading closes the connection."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, auth=None)
        assert b"".join([part async for part in await stub.predict_async_stream({})]) == b"abc"
        stream = await stub.predict_async_stream({})
        async for _ in stream:
            break
        served.gone.clear()
        await stream.aclose()
        await served.gone.wait()

    forever = Step(EVENTS + chunk(b"x"), wait_for=asyncio.Event())
    against(Step(EVENTS + chunk(b"a") + chunk(b"bc") + chunk(b""), end="close"), forever, work=work)


def test_events_of_a_chat() -> None:
    """Deltas come parsed, until the service says that it is done; what is no JSON stays a text."""
    parts = [
        b'data: {"choices": [{"delta": {"content": "Hel',
        b'lo"}}]}\n\n: ping\n\ndata: plain\n\n',
        b"data: [DONE]\n\ndata: 1\n\n",
    ]
    stream = Step(EVENTS + b"".join(map(chunk, [*parts, b""])), end="close")

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, "some-key", auth="Bearer")
        events = [event async for event in stub.stream_events({"stream": True})]
        assert events == [{"choices": [{"delta": {"content": "Hello"}}]}, "plain"]
        assert served.requests[0].headers["accept"] == "text/event-stream"
        assert json.loads(served.requests[0].body) == {"stream": True}

    against(stream, work=work)


def test_events_that_break_off_or_are_endless() -> None:
    """A connection that ends early and an event without an end are faults."""

    async def work(served: Loopback) -> None:
        stub = Service.from_url(served.url, auth=None)
        with pytest.raises(RemoteFault, match="broke off"):
            assert [event async for event in stub.stream_events({})] == [1]
        with pytest.raises(RemoteFault, match="no stream of events"):
            assert [event async for event in stub.stream_events({})] == []

    endless = EVENTS + b"".join([chunk(b"x" * (1 << 20))] * 20)
    against(Step(EVENTS + chunk(b"data: 1\n\n"), end="close"), Step(endless, end="close"), work=work)


@pytest.mark.parametrize("media", ["text/html; charset=utf-8", "application/json"])
def test_what_is_no_stream_of_events_is_a_fault(media: str) -> None:
    """A page of a proxy, or a service that does not stream, is not an empty stream."""

    async def work(served: Loopback) -> None:
        with pytest.raises(RemoteFault, match=media.partition(";")[0]):
            [event async for event in Service.from_url(served.url, auth=None).stream_events({})]

    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: 2\r\n\r\n{{}}"
    against(Step(head.encode(), end="close"), work=work)


def test_page_in_place_of_json_is_told() -> None:
    """The message says what came, as its beginning may say little."""

    async def work(served: Loopback) -> None:
        with pytest.raises(RemoteFault, match="cannot be read as text/html"):
            await Service.from_url(served.url, auth=None).predict_async({})

    page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
    against(Step(page, end="close"), work=work)


def test_sync_code() -> None:
    """Sync code calls, streams and reads events, also when it stops in the middle."""
    found: list[Any] = []

    def calls(url: str) -> None:
        stub = Service.from_url(url, auth=None)
        found.append(stub.predict_sync({}))
        found.append(b"".join(stub.predict_sync_stream({})))
        for event in stub.stream_events_sync({}):
            found.append(event)
            break
        found.append(list(stub.stream_events_sync({})))

    async def work(served: Loopback) -> None:
        thread = threading.Thread(target=calls, args=[served.url])
        thread.start()
        await asyncio.to_thread(thread.join)
        assert found == [[1], b"ab", {"n": 1}, [{"n": 1}, 2]]

    events = Step(EVENTS + chunk(b'data: {"n": 1}\n\n') + chunk(b"data: 2\n\n") + chunk(b""), end="close")
    stream = Step(EVENTS + chunk(b"a") + chunk(b"b") + chunk(b""), end="close")
    against(answer(b"[1]", 200, CLOSE), stream, events, work=work)
