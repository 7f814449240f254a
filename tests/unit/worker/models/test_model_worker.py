"""Calls of a model: what runs where, what waits for what, what callers get, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

import chainctl as chains
from chainctl.calls.call_context import CURRENT_CALL
from chainctl.telemetry.span import Span
from chainctl.worker.models.model_worker import ModelWorker
from chainctl.worker.worker import Call, Reply
from tests.unit.worker.loopback import run
from tests.unit.worker.models.models import (
    call,
    chunks_of,
    error_of,
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


def test_sync_code_can_see_that_its_client_left() -> None:
    """As Truss has it: an event of the request, which another call's end does not set."""
    has_begun, seen = threading.Event(), threading.Event()

    class Model:
        def predict(self, inputs: Any, request: Request) -> bool:
            with request.state.watch_disconnect() as gone:
                if inputs == "quick":
                    return bool(gone.is_set())
                has_begun.set()
                assert gone.wait(20)
                seen.set()
            return True

    async def served(worker: ModelWorker, given: Call) -> Reply:
        CURRENT_CALL.set(given.context)  # as a service does
        return await worker.call(given)

    async def main() -> None:
        worker = worker_of(Model(), 2)
        waiting = asyncio.create_task(served(worker, call("slow")))
        await until(has_begun.is_set)
        assert value_of(await asyncio.create_task(served(worker, call("quick")))) is False
        assert not seen.is_set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(seen.is_set)
        await until(lambda: worker.gate.in_flight == 0)

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
