"""Calls over several hops: deadlines that travel, cancellation of whole trees, streams both ways, odd exceptions."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pydantic
import pytest

import chainctl as chains
from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.remote_error import RemoteFault
from chainctl.pydantic_numpy import NumpyArrayField
from tests.unit.worker.fabric import Net, answer_from, net_of, request, run, until

SEEN: list[tuple[str, float]] = []
ENDED: list[str] = []
BEGAN: list[str] = []
GO = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_seen_yet() -> None:
    for seen in (SEEN, ENDED, BEGAN):
        seen.clear()
    GO.clear()


def note_time(name: str) -> None:
    context = CURRENT_CALL.get()
    assert context is not None
    remaining = context.remaining_sec
    SEEN.append((name, -1.0 if remaining is None else remaining))


async def wait_for_ever(name: str) -> int:
    BEGAN.append(name)
    try:
        await asyncio.Event().wait()
    finally:
        ENDED.append(name)
    return 0


class Leaf(chains.ChainletBase):
    async def run_remote(self, forever: bool) -> int:
        note_time("leaf")
        return await wait_for_ever("leaf") if forever else 1


class Third(chains.ChainletBase):
    def __init__(self, leaf: Any = chains.depends(Leaf)) -> None:
        self.leaf = leaf

    async def run_remote(self, forever: bool) -> AsyncIterator[int]:
        note_time("third")
        try:
            yield 1
            yield await self.leaf.run_remote(forever)
        finally:
            ENDED.append("third")


class Second(chains.ChainletBase):
    def __init__(self, third: Any = chains.depends(Third)) -> None:
        self.third = third

    async def run_remote(self, forever: bool) -> int:
        note_time("second")
        try:
            return sum([item async for item in self.third.run_remote(forever)])
        finally:
            ENDED.append("second")


class Slow(chains.ChainletBase):
    """A sync chainlet that takes no notice of anything."""

    def run_remote(self, forever: bool) -> int:
        BEGAN.append("slow")
        GO.wait(20)
        return 1


class First(chains.ChainletBase):
    def __init__(self, second: Any = chains.depends(Second)) -> None:
        self.second = second

    async def run_remote(self, forever: bool) -> int:
        note_time("first")
        try:
            return int(await self.second.run_remote(forever))
        finally:
            ENDED.append("first")


class Top(chains.ChainletBase):
    def __init__(self, first: Any = chains.depends(First)) -> None:
        self.first = first

    async def run_remote(self, forever: bool) -> int:
        note_time("top")
        try:
            return int(await self.first.run_remote(forever))
        finally:
            ENDED.append("top")


TREE = (Leaf, Third, Second, First, Top)
ALL = ["first", "leaf", "second", "third", "top"]


def tree_is_quiet(net: Net) -> bool:
    return all(worker.gate.in_flight == 0 for worker in net.workers.values())


def test_remaining_time_travels_and_shrinks() -> None:
    """What is left of the time of the first call is known at every hop, and grows less."""

    async def work() -> None:
        async with net_of(*TREE) as net:
            assert await net.stub(Top, timeout_sec=7).run_remote(False) == 2

    run(work())
    assert [name for name, _ in SEEN] == ["top", "first", "second", "third", "leaf"]
    times = [time for _, time in SEEN]
    assert times == sorted(times, reverse=True)
    assert all(0 < time <= 7 for time in times)


@pytest.mark.parametrize("timeout", ["0", "00"])
@pytest.mark.parametrize("path", ["/-/run_remote", "/run_remote"])
def test_deadline_that_has_passed(timeout: str, path: str) -> None:
    """A call without any time left is answered with 504, and no code of the user runs."""

    async def work() -> None:
        async with net_of(Leaf) as net:
            reader, writer = await net.connect(Leaf)
            headers = ("content-type: application/json", f"x-chainctl-timeout-ms: {timeout}")
            writer.write(request(b'{"forever": true}', *headers, path=path))
            status, _, body = await answer_from(reader)
            writer.close()
            assert (status, json.loads(body)["error"]["kind"]) == (504, "deadline")

    run(work())
    assert SEEN == []


@pytest.mark.parametrize("written", ["9" * 30, "9" * 5000, "soon", "-1", "1e9", ""])
def test_absurd_deadlines(written: str) -> None:
    """A deadline that is absurdly far, or no number, bounds nothing."""

    async def work() -> None:
        async with net_of(Leaf) as net:
            reader, writer = await net.connect(Leaf)
            writer.write(request(b'{"forever": false}', f"x-chainctl-timeout-ms: {written}"))
            assert (await answer_from(reader))[::2] == (200, b"1")
            writer.close()

    run(work())


def test_timeout_at_the_top_stops_the_tree() -> None:
    """When the time of the first call is over, every call below it is cancelled, streams too."""

    async def work() -> None:
        async with net_of(*TREE) as net:
            with pytest.raises(TimeoutError, match="`Top`"):
                await net.stub(Top, timeout_sec=0.3).run_remote(True)
            await until(lambda: sorted(ENDED) == ALL)
            await until(lambda: tree_is_quiet(net))

    run(work())


@pytest.mark.parametrize("how", ["task", "inner", "outer", "deadline"])
def test_tree_ends_with_its_caller(how: str) -> None:
    """A caller that is cancelled, hangs up or set a deadline takes all that it began with it."""

    async def work() -> None:
        async with net_of(*TREE) as net:
            if how == "task":
                call = asyncio.ensure_future(net.stub(Top).run_remote(True))
                await until(lambda: BEGAN == ["leaf"])
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            else:
                reader, writer = await net.connect(Top)
                headers = ["x-chainctl-timeout-ms: 300"] if how == "deadline" else []
                path = "/run_remote" if how == "outer" else "/-/run_remote"
                writer.write(
                    request(b'{"forever": true}', "content-type: application/json", *headers, path=path)
                )
                await until(lambda: BEGAN == ["leaf"])
                if how == "deadline":
                    assert (await answer_from(reader))[0] == 504
                writer.close()
            await until(lambda: sorted(ENDED) == ALL)
            await until(lambda: tree_is_quiet(net))

    run(work())


class SyncAbove(chains.ChainletBase):
    """A sync chainlet that calls a sync one, which waits in its thread."""

    def __init__(self, slow: Any = chains.depends(Slow)) -> None:
        self.slow = slow

    def run_remote(self, forever: bool) -> int:
        try:
            return int(self.slow.run_remote(forever))
        finally:
            ENDED.append("above")


def test_threads_have_their_calls_cancelled_and_keep_their_place() -> None:
    """A cancelled sync call ends where it calls; one that cannot end keeps its place until its thread is free."""

    async def work() -> None:
        async with net_of(Slow, SyncAbove) as net:
            call = asyncio.ensure_future(_sync_call(net))
            await until(lambda: BEGAN == ["slow"])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: ENDED == ["above"])
            await until(lambda: net.workers["SyncAbove"].gate.in_flight == 0)
            await until(lambda: net.connections(Slow) == 0)
            assert net.workers["Slow"].gate.in_flight == 1
            GO.set()
            await until(lambda: net.workers["Slow"].gate.in_flight == 0)

    async def _sync_call(net: Net) -> None:
        reader, writer = await net.connect(SyncAbove)
        try:
            writer.write(request(b'{"forever": true}'))
            await reader.read()
        finally:
            writer.close()

    run(work())


class SyncItems(chains.ChainletBase):
    """Yields in a thread, and waits there."""

    def run_remote(self, wait_after: int) -> Iterator[int]:
        try:
            for i in range(5):
                if i == wait_after:
                    BEGAN.append("items")
                    GO.wait(20)
                yield i
        finally:
            ENDED.append("items")


@pytest.mark.parametrize("timeout", [True, False])
def test_sync_stream_that_is_cancelled_while_its_thread_is_busy(timeout: bool) -> None:
    """The caller is answered at once; the iterator is closed, and the place free, when the thread is done."""

    async def work() -> None:
        async with net_of(SyncItems) as net:
            reader, writer = await net.connect(SyncItems)
            headers = ["x-chainctl-timeout-ms: 200"] if timeout else []
            writer.write(request(b'{"wait_after": 0}', *headers))
            await until(lambda: BEGAN == ["items"])
            if timeout:
                assert (await answer_from(reader))[0] == 504
            writer.close()
            await until(lambda: net.connections(SyncItems) == 0)
            worker = net.workers["SyncItems"]
            assert (worker.gate.in_flight, ENDED) == (1, [])
            GO.set()
            await until(lambda: worker.gate.in_flight == 0)
            assert ENDED == ["items"]
            assert [item async for item in _items(net)] == [0, 1, 2, 3, 4]

    async def _items(net: Net) -> AsyncIterator[int]:
        reader, writer = await net.connect(SyncItems)
        writer.write(request(b'{"wait_after": 9}'))
        for line in (await answer_from(reader))[2].splitlines():
            yield int(line)
        writer.close()

    run(work())


# --- streams -----------------------------------------------------------------------------------


class Point(pydantic.BaseModel):
    x: int


class Texts(chains.ChainletBase):
    async def run_remote(self, words: list[str]) -> AsyncIterator[str]:
        try:
            for word in words:
                if word == "!":
                    raise ValueError("no exclamation marks")
                yield word
        finally:
            ENDED.append("texts")


class Bytes(chains.ChainletBase):
    async def run_remote(self, sizes: list[int]) -> AsyncIterator[bytes]:
        for size in sizes:
            yield bytes(size)


class Points(chains.ChainletBase):
    async def run_remote(self, count: int) -> AsyncIterator[Point]:
        for x in range(count):
            yield Point(x=x)


class Doubles(chains.ChainletBase):
    """Takes a stream and answers with one, item by item."""

    async def run_remote(self, factor: int, points: AsyncIterator[Point]) -> AsyncIterator[Point]:
        async for point in points:
            if point.x == 13:
                raise ValueError("unlucky")
            yield Point(x=point.x * factor)


class Endless(chains.ChainletBase):
    async def run_remote(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            ENDED.append("endless")


def test_streams_of_all_kinds() -> None:
    """Text, bytes and models come out as what they went in as, whatever their size or number."""

    async def work() -> None:
        async with net_of(Texts, Bytes, Points) as net:
            words = ["a", "", "ß€😀", "x" * 100_000]
            assert [item async for item in net.stub(Texts).run_remote(words)] == words
            assert [len(item) async for item in net.stub(Bytes).run_remote([0, 1, 3_000_000])] == [
                0,
                1,
                3_000_000,
            ]
            assert [p.x async for p in net.stub(Points).run_remote(500)] == list(range(500))
            assert [p async for p in net.stub(Points).run_remote(0)] == []

    run(work())


async def points(*xs: int) -> AsyncIterator[Point]:
    for x in xs:
        if x == 99:
            raise LookupError("the source is dry")
        yield Point(x=x)


def test_streams_both_ways() -> None:
    """A stream goes in while another comes out; the second answer depends on the first only."""

    async def work() -> None:
        async with net_of(Doubles) as net:
            stub = net.stub(Doubles)
            turn = asyncio.Event()

            async def one_at_a_time() -> AsyncIterator[Point]:
                for x in range(5):
                    yield Point(x=x)
                    await turn.wait()
                    turn.clear()

            found = []
            async for point in stub.run_remote(2, one_at_a_time()):
                found.append(point.x)
                turn.set()
            assert found == [0, 2, 4, 6, 8]
            assert [p.x async for p in stub.run_remote(3, points(*range(100, 400)))] == [
                3 * x for x in range(100, 400)
            ]

    run(work())


def test_failures_in_streams() -> None:
    """A failure in the middle is the right exception for whoever reads, never a short success."""

    async def work() -> None:
        async with net_of(Texts, Doubles) as net:
            items = net.stub(Texts).run_remote(["a", "b", "!"])
            assert [await anext(items), await anext(items)] == ["a", "b"]
            with pytest.raises(ValueError, match="no exclamation marks"):
                await anext(items)
            with pytest.raises(ValueError, match="no exclamation marks"):
                await anext(net.stub(Texts).run_remote(["!"]))
            with pytest.raises(ValueError, match="unlucky"):
                [p async for p in net.stub(Doubles).run_remote(1, points(1, 13, 2))]
            for xs in ((99,), (1, 2, 99, 3)):
                with pytest.raises(LookupError, match="the source is dry"):
                    [p async for p in net.stub(Doubles).run_remote(1, points(*xs))]
            await until(lambda: tree_is_quiet(net))

    run(work())


def test_reader_that_stops_early() -> None:
    """Whoever stops reading stops the producer."""

    async def work() -> None:
        async with net_of(Endless) as net:
            items = net.stub(Endless).run_remote()
            for _ in range(10):
                assert await anext(items) == 1
            await items.aclose()
            await until(lambda: ENDED == ["endless"])
            await until(lambda: tree_is_quiet(net))

    run(work())


@pytest.mark.parametrize("path", ["/run_remote", "/-/run_remote"])
@pytest.mark.parametrize(
    ("cls", "accept", "media", "body"),
    [
        (Texts, "*/*", "text/plain; charset=utf-8", b"ab"),
        (Texts, "text/event-stream", "text/event-stream", b"data: a\n\ndata: b\n\nevent: end\ndata:\n\n"),
        (Points, "*/*", "application/x-ndjson", b'{"x":0}\n{"x":1}\n'),
        (Points, "text/event-stream", "text/event-stream",
         b'data: {"x":0}\n\ndata: {"x":1}\n\nevent: end\ndata:\n\n'),
    ],
)  # fmt: skip
def test_streams_for_strangers(path: str, cls: Any, accept: str, media: str, body: bytes) -> None:
    """Strangers get text, lines of JSON, or events."""

    async def work() -> None:
        async with net_of(cls) as net:
            reader, writer = await net.connect(cls)
            given = b'{"words": ["a", "b"]}' if cls is Texts else b'{"count": 2}'
            writer.write(request(given, "content-type: application/json", f"accept: {accept}", path=path))
            status, headers, found = await answer_from(reader)
            writer.close()
            assert (status, headers["content-type"], found) == (200, media, body)

    run(work())


# --- arrays ------------------------------------------------------------------------------------


class Arrays(chains.ChainletBase):
    """Changes an array in place and sends it back."""

    async def run_remote(self, array: NumpyArrayField) -> NumpyArrayField:
        array.array[...] += 10
        return array


@pytest.mark.parametrize("size", [1, 1000, 100_000, 3_000_000])
def test_arrays_can_be_changed_in_place(size: int) -> None:
    """An array that was received belongs to whoever got it, small or large."""

    async def work() -> None:
        async with net_of(Arrays) as net:
            stub = net.stub(Arrays)
            for _ in range(2):
                sent = np.arange(size, dtype="float32")
                found = (await stub.run_remote(NumpyArrayField(array=sent))).array
                assert np.array_equal(found, sent + 10)
                found += 1
                assert found[0] == 11
                assert sent[0] == 0

    run(work())


# --- odd exceptions ----------------------------------------------------------------------------


class Odd(BaseException):
    """No Exception, and none that ends a process."""


class Raises(chains.ChainletBase):
    async def run_remote(self, kind: str) -> int:
        raise {
            "odd": Odd("odd"),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "group": BaseExceptionGroup("g", [Odd()]),
        }[kind]


class RaisesInThread(chains.ChainletBase):
    def run_remote(self, kind: str) -> int:
        raise {
            "odd": Odd("odd"),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "group": BaseExceptionGroup("g", [Odd()]),
        }[kind]


class RaisesInStream(chains.ChainletBase):
    async def run_remote(self, kind: str) -> AsyncIterator[int]:
        if kind != "late":
            raise Odd("odd")
        yield 1
        raise Odd("late")


class Checked(pydantic.BaseModel):
    kind: str

    @pydantic.field_validator("kind")
    @classmethod
    def _odd(cls, value: str) -> str:
        raise Odd("in a validator")


class RaisesInValidator(chains.ChainletBase):
    async def run_remote(self, checked: Checked) -> int:
        return 1


@pytest.mark.parametrize("path", ["/run_remote", "/-/run_remote"])
@pytest.mark.parametrize("cls", [Raises, RaisesInThread])
@pytest.mark.parametrize("kind", ["odd", "exit", "interrupt", "group"])
def test_exceptions_that_are_none(path: str, cls: Any, kind: str) -> None:
    """Whatever user code raises is an answer in JSON, and the service goes on."""
    assert run(status_of(cls, f'{{"kind": "{kind}"}}', path)) == (500, "application/json", "user")


@pytest.mark.parametrize("path", ["/run_remote", "/-/run_remote"])
@pytest.mark.parametrize(
    ("cls", "body"), [(RaisesInStream, '{"kind": "now"}'), (RaisesInValidator, '{"checked": {"kind": "a"}}')]
)
def test_exceptions_elsewhere(path: str, cls: Any, body: str) -> None:
    """The same holds where a stream begins, and in a user's own validators."""
    assert run(status_of(cls, body, path)) == (500, "application/json", "user")


async def status_of(cls: Any, body: str, path: str) -> tuple[int, str, str]:
    async with net_of(cls) as net:
        reader, writer = await net.connect(cls)
        writer.write(request(body.encode(), "content-type: application/json", path=path))
        status, headers, answered = await answer_from(reader)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await answer_from(reader))[0] == 200
        writer.close()
        return status, headers["content-type"], json.loads(answered)["error"]["kind"]


def test_odd_exception_in_the_middle_of_a_stream() -> None:
    """It ends the stream with an error for whoever reads."""

    async def work() -> None:
        async with net_of(RaisesInStream) as net:
            items = net.stub(RaisesInStream).run_remote("late")
            assert await anext(items) == 1
            with pytest.raises((chains.GenericRemoteException, RemoteFault), match="late"):
                await anext(items)

    run(work())
