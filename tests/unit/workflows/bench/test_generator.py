"""Loads on a loopback server: how many requests come, when they stop, and what they are counted as."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from chainctl.calls.answer import Answer
from chainctl.events import Event
from chainctl.telemetry.trace_context import parse_traceparent
from chainctl.workflows.bench.generator import NOT_SENT, generate, kind_of
from chainctl.workflows.bench.outcome import Failure, Outcome
from chainctl.workflows.bench.plan import CONSTANT, LoadPlan
from tests.unit.worker.loopback import Step, answer, loopback, refusing_port, run

ERROR = b'{"error": {"kind": "user", "message": "no"}}'
COUNTED = LoadPlan("", (b"{}",), clients=2, duration_sec=600, requests=10, warmup_sec=0, timeout_sec=10)


def loading(plan: LoadPlan, url: str, stop: asyncio.Event | None = None) -> Awaitable[Outcome]:
    """Load a URL; what is told meanwhile is dropped."""

    def emit(_event: Event) -> None:
        return

    return generate(replace(plan, url=url), stop or asyncio.Event(), random.Random(1), emit)


def test_a_closed_loop_sends_what_was_asked_for() -> None:
    """As many requests as asked for, with inputs in turn, on a connection for each client."""

    async def scenario() -> None:
        plan = replace(COUNTED, bodies=(b'{"a":1}', b'{"a":2}'), api_key="k3y")
        async with loopback(answer(b"1")) as server:
            outcome = await loading(plan, f"{server.url}/base")
            assert (outcome.requests, outcome.errors, outcome.is_cut) == (10, 0, False)
            assert (len(outcome.latencies_ns), len(outcome.last)) == (10, 10)
            assert outcome.rate > 0
            assert server.connections == 2
            assert sorted(r.body for r in server.requests) == [b'{"a":1}'] * 5 + [b'{"a":2}'] * 5
            assert {r.line for r in server.requests} == {"POST /base/run_remote HTTP/1.1"}
            assert {r.headers["authorization"] for r in server.requests} == {"Bearer k3y"}

    run(scenario())


def test_each_request_is_a_trace_of_its_own() -> None:
    """Its ids are those that are kept of it; it asks not to be exported."""

    async def scenario() -> None:
        async with loopback(answer(b"1")) as server:
            outcome = await loading(COUNTED, server.url)
            sent = [parse_traceparent(r.headers["traceparent"]) for r in server.requests]
            ids = {(f"{c.trace_id:032x}", f"{c.span_id:016x}") for c in sent if c and not c.is_sampled}
            assert ids == {(one.trace_id, one.span_id) for one in outcome.last}
            assert len({trace for trace, _ in ids}) == 10

    run(scenario())


def test_failures_are_counted_by_status_and_kind() -> None:
    """Answers that are errors, connections that break, and what no answer was come for."""

    async def scenario() -> None:
        steps = [
            Step(answer(ERROR, 500)),
            Step(answer(b"<html>", 502)),
            Step(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", end="close"),
            Step(answer(b"1")),
        ]
        async with loopback(*steps) as server:
            outcome = await loading(replace(COUNTED, clients=1), server.url)
            assert outcome.failures == {
                Failure(500, "user"): 1,
                Failure(502, "other"): 1,
                Failure(0, "broken"): 1,
            }
            assert (outcome.requests, outcome.errors, outcome.error_share) == (10, 3, 0.3)
            assert len(outcome.latencies_ns) == 7

    run(scenario())


def test_silence_is_a_timeout() -> None:
    """The request is given up and counted; nothing waits for ever."""

    async def scenario() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as server:
            plan = replace(COUNTED, clients=1, requests=2, timeout_sec=0.02)
            outcome = await loading(plan, server.url)
            assert outcome.failures == {Failure(0, "timeout"): 2}

    run(scenario())


def test_nobody_at_home_is_counted_and_not_hammered() -> None:
    """A refused connection is followed by a pause."""

    async def scenario() -> None:
        with refusing_port() as port:
            outcome = await loading(replace(COUNTED, requests=3), f"http://127.0.0.1:{port}")
        assert outcome.failures == {Failure(0, "connect"): 3}
        assert outcome.last == ()

    run(scenario())


def test_a_load_stops_when_told_to() -> None:
    """What is under way is given up; what was answered is there."""

    async def scenario() -> None:
        stop = asyncio.Event()
        steps = [Step(answer(b"1"))] * 3 + [Step(wait_for=asyncio.Event())]
        async with loopback(*steps) as server:
            load = asyncio.ensure_future(loading(replace(COUNTED, clients=1), server.url, stop))
            while len(server.requests) < 4:
                await server.came.wait()
                server.came.clear()
            stop.set()
            outcome = await load
            assert (outcome.is_cut, outcome.requests, outcome.errors) == (True, 3, 0)
            await server.gone.wait()

    run(scenario())


def test_time_bounds_a_load() -> None:
    """Without a number of requests, it ends when its time is over."""

    async def scenario() -> None:
        async with loopback(answer(b"1")) as server:
            outcome = await loading(LoadPlan("", (b"{}",), duration_sec=0.05, warmup_sec=0), server.url)
            assert outcome.seconds == 0.05
            assert outcome.requests >= 1

    run(scenario())


def test_a_warm_up_is_not_measured() -> None:
    """Requests come, and none of them counts."""

    async def scenario() -> None:
        async with loopback(answer(b"1")) as server:
            plan = LoadPlan("", (b"{}",), clients=1, requests=5, duration_sec=600, warmup_sec=0.05)
            outcome = await loading(plan, server.url)
            assert outcome.requests == 5
            assert len(server.requests) > 5

    run(scenario())


def test_an_open_loop_sends_when_requests_are_due() -> None:
    """Not when answers came: all of them are sent though none is answered before the last came."""

    async def scenario() -> None:
        all_came = asyncio.Event()
        async with loopback(Step(wait_for=all_came, more=answer(b"1"))) as server:
            plan = replace(COUNTED, clients=50, rate=1000, requests=20)
            load = asyncio.ensure_future(loading(plan, server.url))
            while len(server.requests) < 20:
                await server.came.wait()
                server.came.clear()
            all_came.set()
            outcome = await load
            assert (outcome.requests, outcome.errors) == (20, 0)
            assert server.most_at_once == 20

    run(scenario())


def test_waiting_for_a_connection_is_part_of_the_latency() -> None:
    """One slow answer delays those behind it: their latency counts from when they were due."""

    async def scenario() -> None:
        slow = asyncio.Event()
        async with loopback(Step(wait_for=slow, more=answer(b"1")), Step(answer(b"1"))) as server:
            plan = replace(COUNTED, clients=1, rate=1e6, arrivals=CONSTANT, requests=20)
            load = asyncio.ensure_future(loading(plan, server.url))
            await server.came.wait()
            slow.set()
            outcome = await load
            assert outcome.requests == 20
            waits = [a - b for a, b in zip(outcome.latencies_ns, outcome.services_ns, strict=True)]
            assert min(waits) >= 0
            assert waits[10] > 0

    run(scenario())


def test_what_was_due_and_never_sent_is_an_error() -> None:
    """A chain that cannot keep up does not look better for it."""

    async def scenario() -> None:
        never = asyncio.Event()
        async with loopback(Step(wait_for=never)) as server:
            plan = LoadPlan(
                "",
                (b"{}",),
                clients=1,
                rate=100,
                arrivals=CONSTANT,
                duration_sec=0.1,
                warmup_sec=0,
                timeout_sec=0.3,
            )
            outcome = await loading(plan, server.url)
            assert outcome.failures == {Failure(0, "timeout"): 1, NOT_SENT: 9}
            assert outcome.rate == 0

    run(scenario())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"error": 1}', b'{"error": {"kind": 1}}', b"\xff", b"null"]
)
def test_kinds_of_strangers(body: bytes) -> None:
    """Anything may be in an error of somebody else's."""
    assert kind_of(Answer(503, {}, body)) == "other"
    assert kind_of(Answer(302, {}, body)) == "ok"
    assert kind_of(Answer(503, {}, b'{"error": {"kind": "overloaded"}}')) == "overloaded"


def test_a_load_that_is_stopped_while_it_connects() -> None:
    """All clients end, whatever they were about to do, and nothing was measured."""

    async def scenario() -> None:
        for steps in range(8):
            stop = asyncio.Event()
            async with loopback(Step(wait_for=asyncio.Event())) as server:
                load = asyncio.ensure_future(loading(replace(COUNTED, clients=9), server.url, stop))
                for _ in range(steps):
                    await asyncio.sleep(0)
                stop.set()
                assert ((await load).is_cut, (await load).requests) == (True, 0)

    run(scenario())
