"""What a model yields, or answers by itself: what callers get as it comes, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from tests.unit.worker.loopback import run
from tests.unit.worker.models.models import (
    bytes_of,
    call,
    chunks_of,
    error_of,
    inner,
    until,
    value_of,
    worker_of,
)


class Streams:
    """Yields what it is told to; what it is, sync or async, written as a generator or returned, is a member."""

    def __init__(self, kind: str) -> None:
        self.went_on = asyncio.Event()
        self.is_closed = False
        if kind == "async":
            self.predict: Any = self._async
        elif kind == "sync":
            self.predict = self._sync
        elif kind == "returned async":
            self.predict = lambda inputs: self._async(inputs)
        else:
            self.predict = lambda inputs: self._sync(inputs)

    async def _async(self, inputs: list[Any]) -> AsyncIterator[Any]:
        try:
            for item in inputs:
                if item == "wait":
                    await self.went_on.wait()
                yield self._made(item)
        finally:
            self.is_closed = True

    def _sync(self, inputs: list[Any]) -> Iterator[Any]:
        try:
            for item in inputs:
                yield self._made(item)
        finally:
            self.is_closed = True

    def _made(self, item: Any) -> Any:
        if item == "fail":
            raise ValueError("no more")
        return b"bytes" if item == "bytes" else item


KINDS = ("async", "sync", "returned async", "returned sync")


@pytest.mark.parametrize("kind", KINDS)
def test_streams(kind: str) -> None:
    """Text and bytes come as they are, everything else as lines of JSON; the place is held until all is made."""

    async def main() -> None:
        worker = worker_of(Streams(kind))
        reply = await worker.call(call(["a", "ß", "bytes", {"n": 1}]))
        assert (reply.status, reply.content_type) == (200, "application/octet-stream")
        assert worker.gate.in_flight == 1
        assert await chunks_of(reply) == [b"a", "ß".encode(), b"bytes", b'{"n":1}\n']
        assert worker.gate.in_flight == 0
        empty = await worker.call(call([]))
        assert await chunks_of(empty) == []
        events = await worker.call(call(["data: 1\n\n"], accept="text/event-stream"))
        assert events.content_type == "text/event-stream"
        assert await chunks_of(events) == [b"data: 1\n\n"]
        assert worker.gate.in_flight == 0

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_streams_that_fail(kind: str) -> None:
    """An error before the first item is an error answer, a later one breaks the answer off."""

    async def main() -> None:
        worker = worker_of(Streams(kind))
        assert error_of(await worker.call(call(["fail"]))) == (500, "user", "ValueError: no more")
        reply = await worker.call(call(["a", "fail"]))
        with pytest.raises(ValueError, match="no more"):
            await chunks_of(reply)
        assert worker.gate.in_flight == 0

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_streams_that_are_gathered(kind: str) -> None:
    """Who takes JSON only gets one text, but for a client that says so of streams too; chainlets get the value."""

    async def main() -> None:
        worker = worker_of(Streams(kind))
        assert value_of(await worker.call(call(["a", {"n": 1}], accept="application/json"))) == 'a{"n":1}\n'
        told = await worker.call(call(["a"], accept="application/json", user_agent="OpenAI/Python 1"))
        assert await chunks_of(told) == [b"a"]
        assert value_of(await worker.call(inner(b'{"model_input": ["a", "b"]}'))) == "ab"
        assert value_of(await worker.call(inner(b'{"model_input": ["a", 1]}'))) == ["a", 1]
        assert error_of(await worker.call(inner(b'{"model_input": ["a", "fail"]}')))[0] == 500
        assert worker.gate.in_flight == 0

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_leaves_a_stream(kind: str) -> None:
    """Its place is free again when the generator is closed."""

    async def main() -> None:
        model = Streams(kind)
        worker = worker_of(model)
        reply = await worker.call(call(["a", "b"]))
        body: Any = reply.body
        assert await anext(body) == b"a"
        await body.aclose()
        await until(lambda: worker.gate.in_flight == 0)
        assert model.is_closed

    run(main())


@pytest.mark.parametrize("kind", ["async", "returned async"])
def test_a_client_that_leaves_before_the_first_item(kind: str) -> None:
    """The generator is closed where it waits."""

    async def main() -> None:
        model = Streams(kind)
        worker = worker_of(model)
        waiting = asyncio.create_task(worker.call(call(["wait"])))
        await until(lambda: worker.gate.in_flight == 1)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert worker.gate.in_flight == 0

    run(main())


@pytest.mark.parametrize("kind", ["async", "returned async"])
def test_streams_that_fall_silent(kind: str) -> None:
    """They have failed, and their place is free; one that is gathered may take its time."""

    async def main() -> None:
        model = Streams(kind)
        worker = worker_of(model, silence_sec=0.01)
        status, _, message = error_of(await worker.call(call(["wait"])))
        assert (status, message) == (504, "TimeoutError: nothing was yielded for 0.01 s")
        reply = await worker.call(call(["a", "wait"]))
        with pytest.raises(TimeoutError, match=r"nothing was yielded for 0\.01 s"):
            await chunks_of(reply)
        assert (worker.gate.in_flight, model.is_closed) == (0, True)
        model.went_on.set()
        assert value_of(await worker.call(call(["wait"], accept="application/json"))) == "wait"

    run(main())


def test_a_generator_beside_postprocess() -> None:
    """Nothing can be made of it; the place is free again."""

    class Model:
        def predict(self, what: str) -> Any:
            if what == "response":
                return PlainTextResponse("a")
            return (item for item in what) if what else 1

        def postprocess(self, value: Any) -> Any:
            return value + 1

    worker = worker_of(Model())
    assert value_of(run(worker.call(call("")))) == 2
    for what, kind in (("ab", "a generator"), ("response", "a PlainTextResponse")):
        status, _, message = error_of(run(worker.call(call(what))))
        assert (status, f"`predict` returned {kind}" in message) == (500, True)
    assert worker.gate.in_flight == 0


class Responds:
    """Answers with responses of starlette."""

    def __init__(self) -> None:
        self.after: list[str] = []
        self.went_on = asyncio.Event()

    def predict(self, what: str) -> Any:
        if what == "whole":
            return JSONResponse({"a": 1}, 201, {"x-a": "1"})
        if what == "after":
            return PlainTextResponse("done", background=BackgroundTask(self.after.append, "ran"))
        return StreamingResponse(self._items(what), 202, {"x-b": "2"}, "text/event-stream")

    async def _items(self, what: str) -> AsyncIterator[str]:
        yield "one"
        if what == "fail":
            raise ValueError("broken")
        await self.went_on.wait()
        yield "two"


def test_responses_pass_through() -> None:
    """Status, headers and body are theirs; one that streams holds the place until its body ended."""

    async def main() -> None:
        model = Responds()
        worker = worker_of(model)
        whole = await worker.call(call("whole"))
        assert (whole.status, whole.content_type, bytes_of(whole)) == (201, "application/json", b'{"a":1}')
        assert whole.headers == {"x-a": "1"}
        streamed = await worker.call(call("stream"))
        assert (streamed.status, streamed.headers) == (202, {"x-b": "2"})
        assert streamed.content_type.startswith("text/event-stream")
        assert worker.gate.in_flight == 1
        model.went_on.set()
        assert await chunks_of(streamed) == [b"one", b"two"]
        assert worker.gate.in_flight == 0
        after = await worker.call(call("after"))
        assert await chunks_of(after) == [b"done"]
        await until(lambda: model.after == ["ran"])

    run(main())


def test_responses_that_break_off() -> None:
    """An error in a body breaks the answer off, a client that leaves ends it; the place is free again."""

    async def main() -> None:
        model = Responds()
        worker = worker_of(model)
        broken = await worker.call(call("fail"))
        with pytest.raises(ValueError, match="broken"):
            await chunks_of(broken)
        assert worker.gate.in_flight == 0
        left = await worker.call(call("stream"))
        body: Any = left.body
        assert await anext(body) == b"one"
        await body.aclose()
        assert worker.gate.in_flight == 0
        unread = await worker.call(call("stream"))
        assert (unread.status, worker.gate.in_flight) == (202, 1)
        del unread
        await until(lambda: worker.gate.in_flight == 0)

    run(main())
