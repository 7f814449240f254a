"""What is repeated, how often, and what is left alone: retries over hops, hedges, circuit breakers."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

import chainctl as chains
from chainctl.calls.answer import Answer, BrokenAnswerError
from chainctl.calls.breaker import CircuitBreaker
from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.calls.hedge import hedged
from chainctl.calls.remote_error import RemoteFault
from chainctl.calls.retry import RetryBudget, backoff_sec, may_help
from tests.unit.worker.fabric import net_of, run

NOT_STARTED = {"x-chainctl-not-started": "1"}


@pytest.mark.parametrize(
    ("answer", "safe", "idempotent"),
    [
        (Answer(503, NOT_STARTED), True, True),
        (Answer(502, NOT_STARTED), True, True),
        (Answer(503), False, True),
        (Answer(502), False, True),
        (Answer(500, NOT_STARTED), False, False),
        (Answer(504), False, False),
        (Answer(500), False, False),
        (Answer(200), False, False),
        (Answer(503, {**NOT_STARTED, "x-chainctl-retried": "1"}), False, False),
        (Answer(503, {"x-chainctl-not-started": "0"}), False, True),
    ],
)
def test_which_answers_are_repeated(answer: Answer, safe: bool, idempotent: bool) -> None:
    """Only what was not begun is repeated; on idempotent edges also what was lost."""
    assert may_help(answer, is_idempotent=False) is safe
    assert may_help(answer, is_idempotent=True) is idempotent


@pytest.mark.parametrize(
    ("written", "least"), [("2", 2.0), ("", 0), ("²", 0), ("-1", 0), ("soon", 0), ("9" * 500, 0)]
)
def test_retry_after(written: str, least: float) -> None:
    """A wait is no shorter than what the other side asks for; what is no number of seconds is no wish."""
    assert least <= backoff_sec(1, written) <= max(least, 0.2)


def test_budget() -> None:
    """Ten repeats at once, and then a tenth of the calls."""
    budget = RetryBudget()
    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]
    taken = 0
    for _ in range(1000):
        budget.note_call()
        taken += budget.take()
    assert 95 <= taken <= 100


class Faulty(chains.ChainletBase):
    """Fails half of the time."""

    calls = 0
    dice = random.Random(5)

    async def run_remote(self) -> int:
        Faulty.calls += 1
        if Faulty.dice.random() < 0.5:
            raise RemoteFault("it is too much", status=503)
        return 1


class Middle(chains.ChainletBase):
    def __init__(self, faulty: Any = chains.depends(Faulty, retries=4, idempotent=True)) -> None:
        self.faulty = faulty

    async def run_remote(self) -> int:
        return int(await self.faulty.run_remote())


class Upper(chains.ChainletBase):
    def __init__(self, middle: Any = chains.depends(Middle, retries=4, idempotent=True)) -> None:
        self.middle = middle

    async def run_remote(self) -> int:
        return int(await self.middle.run_remote())


def test_repeats_do_not_multiply() -> None:
    """Half of all calls fail, each of three edges may repeat: the leaf gets at most 1.3 times the calls."""
    Faulty.calls = 0

    async def work() -> int:
        async with net_of(Faulty, Middle, Upper) as net:
            top = net.stub(Upper, retries=4, idempotent=True)
            outcomes = [
                await asyncio.gather(*(top.run_remote() for _ in range(50)), return_exceptions=True)
                for _ in range(20)
            ]
            return sum(outcome == 1 for batch in outcomes for outcome in batch)

    succeeded = run(work())
    assert 1000 <= Faulty.calls <= 1300
    assert succeeded >= 450


class Broken(chains.ChainletBase):
    """Always fails in a way that may be repeated."""

    calls = 0

    async def run_remote(self) -> int:
        Broken.calls += 1
        raise RemoteFault("lost", status=502)


class Slow(chains.ChainletBase):
    """Takes as long as it is told."""

    async def run_remote(self, waits: bool) -> str:
        if waits:
            await asyncio.Event().wait()
        return "done"


class AboveBroken(chains.ChainletBase):
    calls = 0

    def __init__(self, broken: Any = chains.depends(Broken, retries=3, idempotent=True)) -> None:
        self.broken = broken

    async def run_remote(self) -> int:
        AboveBroken.calls += 1
        return int(await self.broken.run_remote())


def test_what_was_repeated_below_is_not_repeated_above() -> None:
    """Three attempts at the leaf are three attempts in all."""
    Broken.calls = AboveBroken.calls = 0

    async def work() -> None:
        async with net_of(Broken, AboveBroken) as net:
            with pytest.raises(RemoteFault):
                await net.stub(AboveBroken, retries=3, idempotent=True).run_remote()

    run(work())
    assert (Broken.calls, AboveBroken.calls) == (3, 1)


class Crowded(chains.ChainletBase):
    """One call at a time, one waits; the others are sent away before any work is begun."""

    remote_config = chains.RemoteConfig(
        compute=chains.Compute(predict_concurrency=1), options=chains.ChainletOptions(queue_limit=1)
    )
    go = asyncio.Event()
    calls = 0

    async def run_remote(self) -> int:
        Crowded.calls += 1
        await Crowded.go.wait()
        return 1


def test_full_queue_is_said_before_any_work() -> None:
    """A call that finds the queue full is a 503 that is safe to repeat, with a time to come again."""
    Crowded.go, Crowded.calls = asyncio.Event(), 0

    async def work() -> None:
        async with net_of(Crowded) as net:
            stub = net.stub(Crowded)
            under_way = [asyncio.ensure_future(stub.run_remote()) for _ in range(2)]
            while net.workers["Crowded"].gate.waiting < 1:
                await asyncio.sleep(0)
            with pytest.raises(RemoteFault, match="wait already") as caught:
                await stub.run_remote()
            assert (caught.value.status, caught.value.kind, caught.value.retry_after_sec) == (
                503,
                "overloaded",
                1,
            )
            Crowded.go.set()
            assert await asyncio.gather(*under_way) == [1, 1]
            assert Crowded.calls == 2

    run(work())


# --- hedges and breakers -----------------------------------------------------------------------


def test_hedge_takes_the_first_answer_and_cancels_the_other() -> None:
    """When the first attempt takes long, a second is made; the loser is cancelled."""
    cancelled: list[int] = []
    made: list[int] = []

    async def attempt() -> Answer:
        number = len(made)
        made.append(number)
        if number == 0:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(number)
        return Answer(200)

    async def work() -> None:
        assert (await hedged(attempt, 0.001, RetryBudget())()).status == 200
        assert (made, cancelled) == ([0, 1], [0])
        spent = RetryBudget()
        while spent.take():
            pass
        made[:] = [0]
        assert (await hedged(attempt, 0.0, spent)()).status == 200
        assert made == [0, 1]

    run(work())


@pytest.mark.parametrize("failures", [1, 2])
def test_hedge_of_attempts_that_fail(failures: int) -> None:
    """An attempt that fails leaves the other to win; when both fail, the first failure is told."""
    second = asyncio.Event()
    made: list[int] = []

    async def attempt() -> Answer:
        number = len(made)
        made.append(number)
        if number == 0:
            await second.wait()
            raise BrokenAnswerError("first")
        second.set()
        if failures == 2:
            raise BrokenAnswerError("second")
        await asyncio.sleep(0)
        return Answer(200)

    async def work() -> None:
        if failures == 1:
            assert (await hedged(attempt, 0.001, RetryBudget())()).status == 200
        else:
            with pytest.raises(BrokenAnswerError, match="first"):
                await hedged(attempt, 0.001, RetryBudget())()

    run(work())


def test_breaker_opens_tries_and_closes() -> None:
    """When most calls fail it opens; after the pause one call tries, and its end decides."""
    breaker = CircuitBreaker(window=10, pause_sec=60)
    for _ in range(5):
        assert breaker.admits()
        breaker.note(failed=True)
    assert not breaker.admits()
    breaker.pause_sec = 0
    assert breaker.admits()
    assert not breaker.admits(), "one call tries at a time"
    breaker.note(failed=True)
    breaker.pause_sec = 60
    assert not breaker.admits()
    breaker.pause_sec = 0
    assert breaker.admits()
    breaker.note_given_up()
    assert breaker.admits(), "a try that nobody saw the end of does not block for ever"
    breaker.note(failed=False)
    assert [breaker.admits() for _ in range(3)] == [True] * 3


def test_breaker_of_an_edge() -> None:
    """Calls to a service that keeps failing fail at once, without reaching it."""
    Broken.calls = 0

    async def work() -> None:
        async with net_of(Broken) as net:
            stub = net.stub(Broken, circuit_breaker=True)
            faults = [await asyncio.gather(stub.run_remote(), return_exceptions=True) for _ in range(30)]
            assert [f[0].kind for f in faults[-20:]] == ["circuit_open"] * 20  # type: ignore[union-attr]
            assert Broken.calls == 10

    run(work())


def test_breaker_does_not_hold_a_callers_haste_against_a_service() -> None:
    """Calls that their own caller left no time for do not open it."""

    async def work() -> None:
        async with net_of(Slow) as net:
            stub = net.stub(Slow, circuit_breaker=True)
            for _ in range(30):
                CURRENT_CALL.set(CallContext(deadline=time.monotonic() + 0.002))
                with pytest.raises(TimeoutError):
                    await stub.run_remote(waits=True)
            CURRENT_CALL.set(None)
            assert await stub.run_remote(waits=False) == "done"

    run(work())
