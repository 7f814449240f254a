"""The gate before a chainlet: how many run, who waits, who is sent away; no place is ever lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chainctl.worker.gate import Gate, Overloaded
from tests.unit.worker.loopback import run

LIMIT, QUEUE = 3, 4


class Calls(RuleBasedStateMachine):
    """Calls come, end, and are cancelled wherever they are, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.gate = Gate(LIMIT, QUEUE)
        self.inside: list[tuple[int, asyncio.Event]] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.waiting: list[int] = []
        self.number = 0

    async def call(self, number: int) -> None:
        since = await self.gate.enter()
        over = asyncio.Event()
        place = (number, over)
        self.inside.append(place)
        if number in self.waiting:
            assert self.waiting.pop(0) == number, "they enter in the order in which they came"
        try:
            await over.wait()
        finally:
            self.inside.remove(place)
            self.gate.leave(since)

    def settle(self) -> None:
        async def turn() -> None:
            for _ in range(4):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())
        for number, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[number]
                assert task.cancelled() or task.exception() is None

    @rule()
    def come(self) -> None:
        full = len(self.inside) == LIMIT
        if full and len(self.waiting) == QUEUE:
            with pytest.raises(Overloaded, match="wait already"):
                self.loop.run_until_complete(self.gate.enter())
            return
        self.number += 1
        if full:
            self.waiting.append(self.number)
        self.tasks[self.number] = self.loop.create_task(self.call(self.number))
        self.settle()

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), at_once=st.booleans())
    def end(self, data: Any, at_once: bool) -> None:
        _, over = data.draw(st.sampled_from(self.inside))
        over.set()
        if not at_once:
            self.settle()

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), at_once=st.booleans())
    def cancel(self, data: Any, at_once: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.tasks)))
        if number in self.waiting:
            self.waiting.remove(number)
        self.tasks[number].cancel()
        self.settle()

    @invariant()
    def counts_are_right(self) -> None:
        self.settle()
        assert self.gate.in_flight == len(self.inside) <= LIMIT
        assert self.gate.waiting == len(self.waiting)
        assert not self.waiting or len(self.inside) == LIMIT

    def teardown(self) -> None:
        while self.tasks:
            for task in self.tasks.values():
                task.cancel()
            self.waiting.clear()
            self.settle()
        assert (self.gate.in_flight, self.gate.waiting) == (0, 0)
        self.loop.close()


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_call_that_would_wait_beyond_its_deadline() -> None:
    """A call that has less time than the queue before it takes is refused at once."""

    async def work() -> None:
        gate = Gate(1, 10)
        gate._mean_sec = 10.0
        since = await gate.enter(0.5)
        with pytest.raises(Overloaded, match="its deadline is in") as refused:
            await gate.enter(5.0)
        assert refused.value.retry_after_sec == 10
        waiting = asyncio.ensure_future(gate.enter(60.0))
        await asyncio.sleep(0)
        gate.leave(since)
        await waiting
        assert gate.in_flight == 1

    run(work())


def test_place_that_comes_with_a_cancellation() -> None:
    """A call that is cancelled in the very step in which its turn comes hands its place on."""

    async def work() -> None:
        gate = Gate(1)
        since = await gate.enter()
        first, second = asyncio.ensure_future(gate.enter()), asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0)
        gate.leave(since)
        first.cancel()
        gate.leave(await second)
        assert gate.in_flight == 0

    run(work())
