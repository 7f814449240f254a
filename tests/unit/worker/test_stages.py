"""Calls through stages and batches: what runs where, what waits for what, and who is told of errors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.calls.call_context import CallContext
from chainctl.sdk.batched import Batching
from chainctl.sdk.declaration import declaration_of
from chainctl.sdk.fake_checks import fake_problems
from chainctl.telemetry.span import Span
from chainctl.worker.gate import Gate
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.local import LocalFidelity, run_local
from chainctl.worker.stages import Stage, StageRunner, Stages, Visit
from chainctl.worker.threads import CallThreads
from chainctl.worker.worker import Call, Reply
from tests.unit.worker.edited import HEAD, edited
from tests.unit.worker.loopback import run


def worker(cls: type) -> InProcessWorker:
    with run_local():
        return InProcessWorker(declaration_of(cls), cls())


def call(**arguments: Any) -> Call:
    return Call(json.dumps(arguments).encode())


def body(reply: Reply) -> Any:
    assert reply.parts is not None
    return json.loads(b"".join(reply.parts))


async def until(is_so: Callable[[], bool]) -> None:
    """Let the event loop turn until something is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0)


class Length(chains.ChainletBase):
    """Sync code between async stages; `where` notes the threads."""

    def __init__(self) -> None:
        self.where: list[str] = []

    async def preprocess(self, text: str, times: int = 1) -> list[str]:
        self.where.append(threading.current_thread().name)
        return text.split() * times

    def run_remote(self, words: Any) -> Any:
        self.where.append(threading.current_thread().name.partition("_")[0])
        return len(words)

    def postprocess(self, count: int) -> dict[str, int]:
        self.where.append(threading.current_thread().name.partition("_")[0])
        if count == 13:
            raise chains.HTTPError(409, "unlucky")
        return {"words": count} if count else "none"  # type: ignore[return-value]  # does not fit: told to callers


def test_a_call_goes_through_all_stages() -> None:
    """Callers send what `preprocess` takes and get what `postprocess` returns; sync stages run in threads."""
    whole = worker(Length)
    assert body(run(whole.call(call(text="a b", times=2)))) == {"words": 4}
    here = threading.current_thread().name
    assert whole.servings.newest.instance.where == [here, "chainlet", "chainlet"]
    assert whole.schemas()["input"]["required"] == ["text"]
    assert whole.schemas()["output"]["additionalProperties"] == {"type": "integer"}
    assert (whole.gate.in_flight, whole.servings.in_flight()) == (0, {})


def test_errors_name_their_stage(caplog: pytest.LogCaptureFixture) -> None:
    """An error keeps its status; what does not fit says which stage gave it; nothing is left behind."""
    whole = worker(Length)
    assert run(whole.call(call(text="a", times=13))).status == 409
    assert "postprocess raised" in caplog.text
    wrong = run(whole.call(call(text="")))
    assert (wrong.status, body(wrong)["error"]["kind"]) == (500, "invalid_output")
    assert "`Length.postprocess` returned" in body(wrong)["error"]["message"]
    assert run(whole.call(call(text=1))).status == 422
    assert (whole.gate.in_flight, whole.servings.in_flight()) == (0, {})


def test_stages_are_timed() -> None:
    """A span tells the time of each stage apart from the wait and the run."""
    span = Span("Length", "server", 1, 1)
    given = call(text="a b")
    given.span = span
    run(worker(Length).call(given))
    assert min(span.preprocess_ns, span.run_ns, span.postprocess_ns) > 0


class Gated(chains.ChainletBase):
    """Two at once; the test holds each stage by its name and sees who is where."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=2))

    def __init__(self) -> None:
        self.open = {name: asyncio.Event() for name in ("preprocess", "run_remote", "postprocess")}
        self.entered: dict[str, list[int]] = {name: [] for name in self.open}

    async def _pass(self, stage: str, number: int) -> int:
        self.entered[stage].append(number)
        await self.open[stage].wait()
        return number

    async def preprocess(self, number: int) -> int:
        return await self._pass("preprocess", number)

    async def run_remote(self, number: int) -> int:
        return await self._pass("run_remote", number)

    async def postprocess(self, number: int) -> int:
        return await self._pass("postprocess", number)


def test_only_run_remote_is_limited() -> None:
    """All calls are preprocessed and postprocessed at once; two run, in the order in which they came."""

    async def main() -> None:
        whole = worker(Gated)
        chainlet: Gated = whole.servings.newest.instance
        calls = [asyncio.create_task(whole.call(call(number=number))) for number in range(50)]
        await until(lambda: len(chainlet.entered["preprocess"]) == 50)
        assert chainlet.entered["run_remote"] == []
        chainlet.open["preprocess"].set()
        await until(lambda: whole.gate.waiting == 48)
        assert chainlet.entered["run_remote"] == [0, 1]
        chainlet.open["run_remote"].set()
        await until(lambda: len(chainlet.entered["postprocess"]) == 50)
        assert chainlet.entered["run_remote"] == chainlet.entered["postprocess"] == list(range(50))
        chainlet.open["postprocess"].set()
        assert [body(await one) for one in calls] == list(range(50))
        assert whole.gate.in_flight == 0

    run(main())


class Many(chains.ChainletBase):
    """All of its sync stages have to be there at once, or none goes on."""

    remote_config = chains.RemoteConfig(options=chains.ChainletOptions(queue_limit=99))
    together = threading.Barrier(100)

    def preprocess(self, number: int) -> int:
        self.together.wait(20)
        return number

    def run_remote(self, number: int) -> int:
        return number


def test_sync_stages_have_the_threads_that_they_need() -> None:
    """A hundred sync stages run at once, beside a `run_remote` that has one place; one more call is refused."""

    async def main() -> None:
        whole = worker(Many)
        calls = [asyncio.create_task(whole.call(call(number=n))) for n in range(99)]
        await until(lambda: Many.together.n_waiting == 99)
        calls.append(asyncio.create_task(whole.call(call(number=99))))
        await asyncio.sleep(0)
        refused = await whole.call(call(number=100))
        assert refused.status == 503
        assert [body(await one) for one in calls] == list(range(100))

    run(main())


class Streams(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=1))

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    def preprocess(self, count: int) -> range:
        return range(count)

    async def run_remote(self, numbers: range) -> AsyncIterator[int]:
        for number in numbers:
            yield number
            await self.go_on.wait()


class StreamsSync(chains.ChainletBase):
    async def preprocess(self, count: int) -> range:
        return range(count)

    def run_remote(self, numbers: range) -> Iterator[int]:
        yield from numbers


def test_a_stream_keeps_its_place_to_its_end() -> None:
    """The next call runs when the items before it are made, or when their reader is gone."""

    async def main() -> None:
        whole = worker(Streams)
        first: Any = (await whole.call(call(count=2))).body
        second = asyncio.create_task(whole.call(call(count=0)))
        await until(lambda: whole.gate.waiting == 1)
        assert whole.servings.in_flight() == {0: 2}
        whole.servings.newest.instance.go_on.set()
        assert b"".join([chunk async for chunk in first]) == b"0\n1\n"
        assert [chunk async for chunk in (await second).body] == []  # type: ignore[union-attr]  # a stream
        whole.servings.newest.instance.go_on.clear()
        left: Any = (await whole.call(call(count=2))).body
        assert await anext(left) == b"0\n"
        await left.aclose()
        assert (whole.gate.in_flight, whole.servings.in_flight()) == (0, {})
        sync: Any = (await worker(StreamsSync).call(call(count=3))).body
        assert b"".join([chunk async for chunk in sync]) == b"0\n1\n2\n"

    run(main())


class Stuck(chains.ChainletBase):
    """A sync `preprocess` that goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()

    def preprocess(self, number: int) -> int:
        self.begun.set()
        self.end.wait(20)
        return number

    async def run_remote(self, number: int) -> int:
        raise AssertionError("the call is gone")


def test_a_call_is_there_as_long_as_its_thread() -> None:
    """A cancelled call counts until the thread of its stage has ended, and goes no further."""

    async def main() -> None:
        whole = worker(Stuck)
        stuck: Stuck = whole.servings.newest.instance
        task = asyncio.create_task(whole.call(call(number=1)))
        await until(stuck.begun.is_set)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert whole.servings.in_flight() == {0: 1}
        stuck.end.set()
        await until(lambda: not whole.servings.in_flight())

    run(main())


class Shout(chains.ChainletBase):
    @chains.batched(max_size=3, max_latency=60, argument="text")
    async def run_remote(self, texts: list[str]) -> list[str | Exception]:
        found: list[str | Exception] = [
            text.upper() if text else chains.HTTPError(400, "no text") for text in texts
        ]
        return found[:-1] if "short" in texts else found


class ShoutSync(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text.strip()

    @chains.batched(max_size=3, max_latency=0)
    def run_remote(self, texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]

    def postprocess(self, text: str) -> str:
        return text + "!"


async def replies(whole: InProcessWorker, *texts: str) -> list[Reply]:
    return list(await asyncio.gather(*(whole.call(call(text=text)) for text in texts)))


def test_a_full_batch_fans_out() -> None:
    """Three calls are one list; each gets its own result or error, and only its own."""
    whole = worker(Shout)
    found = run(replies(whole, "a", "", "c"))
    assert [reply.status for reply in found] == [200, 400, 200]
    assert [body(found[0]), body(found[2])] == ["A", "C"]
    assert whole.schemas() == {
        "input": {**whole.schemas()["input"], "properties": {"text": {"title": "Text", "type": "string"}}},
        "output": {"type": "string"},
    }
    assert [body(reply) for reply in run(replies(worker(ShoutSync), " a ", "b"))] == ["A!", "B!"]


def test_a_list_of_another_length_is_an_error_for_all() -> None:
    """Nobody gets the result of another call."""
    found = run(replies(worker(Shout), "a", "short", "c"))
    message = "`Shout.run_remote` returned a list of 2 for a batch of 3"
    assert [(reply.status, body(reply)["error"]["message"]) for reply in found] == [(500, message)] * 3


def test_a_drain_waits_for_no_further_call() -> None:
    """What waits for a batch begins at once when nothing else comes."""

    async def main() -> None:
        whole = worker(Shout)
        task = asyncio.create_task(whole.call(call(text="a")))
        await until(lambda: whole.waiting == 1)
        whole.drain()
        assert body(await task) == "A"
        assert body(await whole.call(call(text="b"))) == "B"

    run(main())


class Recording:
    """A batched method without any base class; batches wait until they are told to end."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.cancelled: list[list[int]] = []
        self.end = asyncio.Event()

    async def predict(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled.append(numbers)
            raise
        return [-number for number in numbers]


def recording(limit: int | None, size: int) -> tuple[Recording, Callable[[int], Awaitable[Any]], Gate]:
    """An object, how it is called, and the gate of its batches."""
    made, gate, batching = Recording(), Gate(limit), Batching(size, 0)
    runner = StageRunner("Recording", gate, CallThreads(1), batching)
    stages = Stages(Stage.of(made.predict, "predict"), batching=batching)

    def ask(number: int) -> Awaitable[Any]:
        visit = Visit(CallContext(generation=number // 100))
        return asyncio.ensure_future(runner.value(stages, {"number": number}, visit))

    return made, ask, gate


def test_a_batch_grows_while_it_waits_for_its_place() -> None:
    """Places are of batches; what comes while all are taken makes larger ones, in order."""

    async def main() -> None:
        made, ask, gate = recording(1, 4)
        calls = [ask(0)]
        await until(lambda: made.batches == [[0]])
        calls += [ask(number) for number in range(1, 7)]
        await until(lambda: gate.waiting == 1)
        made.end.set()
        assert await asyncio.gather(*calls) == [0, -1, -2, -3, -4, -5, -6]
        assert made.batches == [[0], [1, 2, 3, 4], [5, 6]]
        assert gate.in_flight == 0

    run(main())


def test_cancelled_calls_leave_their_batch() -> None:
    """One that waits is never run; a batch that runs ends with the last call that wants it."""

    async def main() -> None:
        made, ask, gate = recording(1, 2)
        first, second, third, fourth = calls = [asyncio.ensure_future(ask(n)) for n in range(4)]
        await until(lambda: made.batches == [[0, 1]])
        third.cancel()
        first.cancel()
        await until(lambda: first.done() and third.done())
        assert made.cancelled == []
        second.cancel()
        await until(lambda: made.cancelled == [[0, 1]])
        await until(lambda: made.batches == [[0, 1], [3]])
        made.end.set()
        assert await fourth == -3
        assert [one.cancelled() for one in calls] == [True, True, True, False]
        await until(lambda: gate.in_flight == 0)

    run(main())


def test_no_batch_mixes_generations() -> None:
    """While a chain is edited, calls of the old code and of the new one go apart."""

    async def main() -> None:
        made, ask, _ = recording(None, 4)
        made.end.set()
        assert await asyncio.gather(*(ask(n) for n in (0, 100, 1, 101))) == [0, -100, -1, -101]
        assert made.batches == [[0, 1], [100, 101]]

    run(main())


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.lists(st.sampled_from(["come", "go", "turn"]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_every_call_gets_its_own_result(limit: int, size: int, steps: list[str], chance: Random) -> None:
    """However calls come and go, those that stay are in one batch each, in order, and no place is lost."""

    async def main() -> None:
        made, ask, gate = recording(limit, size)
        calls: list[asyncio.Future[Any]] = []
        for step in steps:
            if step == "come":
                calls.append(asyncio.ensure_future(ask(len(calls))))
            elif step == "go" and calls:
                chance.choice(calls).cancel()
            else:
                await asyncio.sleep(0)
        assert gate.in_flight <= limit
        made.end.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        stayed = [number for number, one in enumerate(found) if not isinstance(one, asyncio.CancelledError)]
        assert [found[number] for number in stayed] == [-number for number in stayed]
        ran = [number for batch in made.batches for number in batch]
        assert ran == sorted(set(ran))
        assert set(stayed) <= set(ran)
        assert all(1 <= len(batch) <= size for batch in made.batches)
        await until(lambda: gate.in_flight == 0)

    run(main())


class BlockedBatch(chains.ChainletBase):
    """A sync batch that goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()

    @chains.batched(max_size=1, max_latency=0)
    def run_remote(self, numbers: list[int]) -> list[int]:
        self.begun.set()
        self.end.wait(20)
        return numbers


def test_a_sync_batch_keeps_its_place_until_its_thread_ends() -> None:
    """Its calls are gone, but the model is not free."""

    async def main() -> None:
        whole = worker(BlockedBatch)
        chainlet: BlockedBatch = whole.servings.newest.instance
        task = asyncio.create_task(whole.call(call(numbers=1)))
        await until(chainlet.begun.is_set)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (whole.gate.in_flight, whole.servings.in_flight()) == (1, {0: 1})
        chainlet.end.set()
        await until(lambda: (whole.gate.in_flight, whole.servings.in_flight()) == (0, {}))

    run(main())


class Caller(chains.ChainletBase):
    def __init__(
        self,
        length: Length = chains.depends(Length),
        shout: ShoutSync = chains.depends(ShoutSync),
        streams: StreamsSync = chains.depends(StreamsSync),
    ) -> None:
        self.length, self.shout, self.streams = length, shout, streams

    def run_remote(self, text: str) -> tuple[dict[str, int], str, list[int]]:
        counted: Any = self.length.run_remote(text=text)  # type: ignore[call-arg]  # it takes what `preprocess` does
        numbers: Any = self.streams.run_remote(2)  # type: ignore[arg-type]  # as above
        return counted, self.shout.run_remote(text), list(numbers)


class AsyncCaller(chains.ChainletBase):
    def __init__(self, shout: Shout = chains.depends(Shout)) -> None:
        self.shout = shout

    async def run_remote(self, texts: list[str]) -> list[str]:
        return [str(one) for one in await asyncio.gather(*map(self.shout.run_remote, texts))]


@pytest.mark.parametrize("fidelity", LocalFidelity)
def test_dependencies_in_one_process_have_their_stages(fidelity: LocalFidelity) -> None:
    """A caller in the same process sees what a caller of a service sees, sync and async."""
    with run_local(fidelity=fidelity):
        made, awaited = Caller(), AsyncCaller()
    assert made.run_remote(" a b ") == ({"words": 2}, "A B!", [0, 1])
    assert run(awaited.run_remote(["a", "b", "c"])) == ["A", "B", "C"]


class FakeShout:
    async def run_remote(self, text: str) -> str:
        return text


class WrongShout:
    async def run_remote(self, texts: list[str]) -> list[str]:
        return texts


def test_fakes_have_the_signature_of_callers() -> None:
    """What stands for a batched chainlet is called with single elements, and so is what the problem shows."""
    assert fake_problems(Shout, FakeShout) == []
    problem = fake_problems(Shout, WrongShout)[0]
    assert problem.note == "it stands for `Shout`: `run_remote(self, text: str) -> str`"


EDITED = (
    HEAD
    + """
class C(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text + "a"

    @chains.batched(max_size=2, max_latency=0)
    async def run_remote(self, texts: list[str]) -> list[str]:
        return [text + "b" for text in texts]

    async def postprocess(self, text: str) -> str:
        return text + "c"
"""
)


def test_stages_are_edited_like_other_methods(tmp_path: Path) -> None:
    """Their bodies are swapped, by generation; other limits of a batch want a restart."""
    with edited(tmp_path, {"chain": EDITED}) as c:
        new = EDITED.replace('"a"', '"A"').replace('"b"', '"B"').replace('"c"', '"C"')
        number = c.edit("swap", retire=False, chain=new)
        assert run(c.call(number - 1, text="-")) == "-abc"
        assert run(c.call(text="-")) == "-ABC"
        assert c.refused("reimport", chain=new.replace("max_size=2", "max_size=3")).next == "restart"
