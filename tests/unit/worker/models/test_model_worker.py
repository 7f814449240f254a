"""Calls of a model: what runs where, what waits for what, what callers get, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

import chainctl as chains
from chainctl.telemetry.span import Span
from chainctl.worker.models.model_worker import ModelWorker
from chainctl.worker.worker import Reply
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


class Where:
    """Sync code between async stages; `where` notes the threads."""

    def __init__(self) -> None:
        self.where: list[str] = []

    async def preprocess(self, text: str) -> list[str]:
        self.where.append(threading.current_thread().name)
        return text.split()

    def predict(self, words: list[str]) -> int:
        self.where.append(threading.current_thread().name.partition("_")[0])
        return len(words)

    def postprocess(self, count: int) -> dict[str, int]:
        self.where.append(threading.current_thread().name.partition("_")[0])
        if count == 3:
            raise HTTPException(409, "unlucky", {"x-reason": "three"})
        if count == 2:
            raise KeyError("two")
        return {"words": count}


def test_a_call_goes_through_all_stages() -> None:
    """Sync stages run in threads, async ones on the event loop, and a span tells their times apart."""
    model = Where()
    given = call("a b c d")
    given.span = Span("greeter", "server", 1, 1)
    assert value_of(run(worker_of(model).call(given))) == {"words": 4}
    assert model.where == [threading.current_thread().name, "chainlet", "chainlet"]
    assert min(given.span.preprocess_ns, given.span.run_ns, given.span.postprocess_ns) > 0


def test_errors_name_their_stage(caplog: pytest.LogCaptureFixture) -> None:
    """The exception of a web framework sets the status and headers; any other one is a 500 that says which it was."""
    worker = worker_of(Where())
    refused = run(worker.call(call("a b c")))
    assert error_of(refused)[:2] == (409, "user")
    assert refused.headers["x-reason"] == "three"
    assert error_of(run(worker.call(call("a b")))) == (500, "user", "KeyError: 'two'")
    assert "postprocess raised" in caplog.text
    assert (worker.gate.in_flight, worker.waiting) == (0, 0)


class Gated:
    """The test holds each stage by its name and sees who is where."""

    def __init__(self) -> None:
        self.open = {name: asyncio.Event() for name in ("preprocess", "predict", "postprocess", "chat")}
        self.entered: dict[str, list[int]] = {name: [] for name in self.open}

    async def _pass(self, stage: str, number: int) -> int:
        self.entered[stage].append(number)
        await self.open[stage].wait()
        return number

    async def preprocess(self, number: int) -> int:
        return await self._pass("preprocess", number)

    async def predict(self, number: int) -> int:
        return await self._pass("predict", number)

    async def postprocess(self, number: int) -> int:
        return await self._pass("postprocess", number)

    async def chat_completions(self, number: int) -> int:
        return await self._pass("chat", number)


def test_only_predict_is_limited() -> None:
    """All calls are preprocessed and postprocessed at once; two run, in order; other methods are not bounded."""

    async def main() -> None:
        model = Gated()
        worker = worker_of(model, 2)
        calls = [asyncio.create_task(worker.call(call(number))) for number in range(200)]
        await until(lambda: len(model.entered["preprocess"]) == 200)
        model.open["preprocess"].set()
        await until(lambda: worker.waiting == 198)
        chats = [
            asyncio.create_task(worker.call(call(number, path="/v1/chat/completions"))) for number in range(9)
        ]
        await until(lambda: len(model.entered["chat"]) == 9)
        model.open["chat"].set()
        assert [value_of(await one) for one in chats] == list(range(9))
        assert model.entered["predict"] == [0, 1]
        model.open["predict"].set()
        await until(lambda: len(model.entered["postprocess"]) == 200)
        assert model.entered["predict"] == model.entered["postprocess"] == list(range(200))
        model.open["postprocess"].set()
        assert [value_of(await one) for one in calls] == list(range(200))
        assert worker.gate.in_flight == 0

    run(main())


class Many:
    """All of its calls have to be there at once, or none goes on."""

    together = threading.Barrier(100)

    def preprocess(self, number: int) -> int:
        self.together.wait(20)
        return number

    def predict(self, number: int) -> int:
        self.together.wait(20)
        return number


def test_sync_stages_have_the_threads_that_they_need() -> None:
    """A hundred of them run at once, before `predict` and in it."""

    async def main() -> None:
        worker = worker_of(Many(), 100)
        answers = await asyncio.gather(*(worker.call(call(n)) for n in range(100)))
        assert [value_of(one) for one in answers] == list(range(100))

    run(main())


def test_a_batched_predict() -> None:
    """Calls become elements of one list, each gets its own result, or its own error."""
    sizes: list[int] = []

    class Model:
        @chains.batched(max_size=4, max_latency=20)
        async def predict(self, numbers: list[int]) -> list[Any]:
            sizes.append(len(numbers))
            return [ValueError("three") if number == 3 else number * 2 for number in numbers]

    async def main() -> list[Reply]:
        worker = worker_of(Model())
        return await asyncio.gather(*(worker.call(call(n)) for n in range(4)))

    answers = run(main())
    assert [value_of(one) for one in answers[:3]] == [0, 2, 4]
    assert error_of(answers[3])[2] == "ValueError: three"
    assert sizes == [4]


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


def test_a_thread_that_is_left_keeps_its_place() -> None:
    """A call that nobody waits for any more has its place until its thread ends, also if that gives a generator."""
    goes_on, has_begun = threading.Event(), threading.Event()

    class Model:
        def predict(self, is_stream: bool) -> Any:
            has_begun.set()
            assert goes_on.wait(20)
            return iter_of(["a"]) if is_stream else "a"

    def iter_of(items: list[str]) -> Iterator[str]:
        yield from items

    async def main(*, is_stream: bool) -> None:
        worker = worker_of(Model())
        waiting = asyncio.create_task(worker.call(call(is_stream)))
        await until(has_begun.is_set)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert worker.gate.in_flight == 1
        goes_on.set()
        await until(lambda: worker.gate.in_flight == 0)

    for is_stream in (True, False):
        goes_on.clear()
        has_begun.clear()
        run(main(is_stream=is_stream))


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


def test_other_methods() -> None:
    """They are there under their own paths, sync or streaming, and those that are not are 404."""

    class Model:
        def predict(self, inputs: Any) -> str:
            return "predict"

        def embeddings(self, inputs: Any) -> str:
            return "embeddings"

        def chat_completions(self, inputs: Any) -> Iterator[str]:
            yield "chat"

    async def main() -> None:
        worker = worker_of(Model())
        assert value_of(await worker.call(call(1))) == "predict"
        assert value_of(await worker.call(call(1, path="/v1/embeddings"))) == "embeddings"
        assert await chunks_of(await worker.call(call(1, path="/v1/chat/completions"))) == [b"chat"]
        assert error_of(await worker.call(call(1, path="/v1/messages")))[:2] == (404, "not_found")
        assert [worker.offers(name) for name in ("predict", "embeddings", "messages")] == [True, True, False]

    run(main())


@pytest.mark.parametrize(("answer", "is_ready"), [(True, True), (1, True), (False, False), (None, False)])
@pytest.mark.parametrize("is_async", [True, False])
def test_health(answer: Any, *, is_ready: bool, is_async: bool) -> None:
    """Anything that is true is healthy; an error is not, and neither stops a model."""

    class Model:
        def predict(self) -> None: ...

    class Sync(Model):
        def is_healthy(self) -> Any:
            if answer is None:
                raise ValueError("ill")
            return answer

    class Async(Model):
        async def is_healthy(self) -> Any:
            return Sync().is_healthy()

    health = run(worker_of(Async() if is_async else Sync()).health())
    assert health.is_ready is is_ready
    assert run(worker_of(Model()).health()).is_ready


class Socket:
    """Our own kind of connection; it has no channel."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send_text(self, data: str) -> None:
        self.sent.append(data)


def test_conversations_have_places() -> None:
    """A websocket is bounded as `predict` is: the second waits for the first one's end."""
    opened = asyncio.Event()

    class Model:
        async def websocket(self, websocket: Any) -> None:
            await websocket.send_text("hello")
            await opened.wait()

    async def main() -> None:
        worker: ModelWorker = worker_of(Model())
        assert worker.is_websocket
        assert error_of(await worker.call(call(1)))[0] == 426
        sockets: list[Any] = [Socket(), Socket()]
        talks = [asyncio.create_task(worker.websocket(s, call().context)) for s in sockets]
        await until(lambda: worker.waiting == 1)
        assert [s.sent for s in sockets] == [["hello"], []]
        opened.set()
        await asyncio.gather(*talks)
        assert [s.sent for s in sockets] == [["hello"], ["hello"]]
        assert worker.gate.in_flight == 0

    run(main())


def test_a_call_that_is_cancelled_leaves_nothing() -> None:
    """Whatever stage it is in, its place is free and nobody waits for it."""

    async def main() -> None:
        for stage in ("preprocess", "predict", "postprocess"):
            model = Gated()
            worker = worker_of(model)
            for name, event in model.open.items():
                if name != stage:
                    event.set()
            waiting = asyncio.create_task(worker.call(call(1)))
            await until(lambda entered=model.entered[stage]: entered == [1])  # type: ignore[misc]  # bound now
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            assert worker.gate.in_flight == 0
            model.open[stage].set()
            assert value_of(await worker.call(call(2))) == 2

    run(main())
