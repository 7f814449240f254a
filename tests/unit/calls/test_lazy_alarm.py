"""An alarm that is set for call after call, and the few timers that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chainctl.calls.lazy_alarm import LazyAlarm


class Timer:
    """One timer of the clock below."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """The part of an event loop that an alarm uses, with a time of its own."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def advance(self, now: float) -> None:
        """Let the time pass, timer by timer."""
        while due := sorted((t for t in self.timers if t.when <= now), key=lambda t: t.when):
            self.timers.remove(due[0])
            if not due[0].is_cancelled:
                due[0].callback()

    @property
    def pending(self) -> list[float]:
        return [timer.when for timer in self.timers if not timer.is_cancelled]


@pytest.fixture
def clock() -> Any:
    """It stands for a loop."""
    return Clock()


@pytest.fixture
def rung() -> list[str]:
    """What rang."""
    return []


@pytest.fixture
def alarm(clock: Any, rung: list[str]) -> LazyAlarm:
    """One that writes down when it rings."""
    return LazyAlarm(clock, lambda: rung.append("ring"))


def test_it_rings_once_at_its_time(clock: Any, alarm: LazyAlarm, rung: list[str]) -> None:
    """Not before, and not again."""
    alarm.set(10.0)
    clock.advance(9.9)
    assert rung == []
    clock.advance(10.0)
    clock.advance(100.0)
    assert rung == ["ring"]


def test_later_times_cost_no_timer(clock: Any, alarm: LazyAlarm, rung: list[str]) -> None:
    """A thousand calls that ended in time share one; the last of them still has its limit."""
    for number in range(1000):
        alarm.set(10.0 + number)
        alarm.unset()
    alarm.set(1009.0)
    assert clock.pending == [10.0]
    clock.advance(1008.0)
    assert (rung, clock.pending) == ([], [1009.0])
    clock.advance(1009.0)
    assert rung == ["ring"]


def test_an_earlier_time_goes_before(clock: Any, alarm: LazyAlarm, rung: list[str]) -> None:
    """A call with less time than the one before it is not held up by its timer."""
    alarm.set(600.0)
    alarm.unset()
    alarm.set(5.0)
    clock.advance(5.0)
    assert rung == ["ring"]
    assert clock.pending == []


def test_what_is_unset_does_not_ring(clock: Any, alarm: LazyAlarm, rung: list[str]) -> None:
    """And leaves no timer behind when its time has come."""
    alarm.set(10.0)
    alarm.unset()
    clock.advance(10.0)
    assert (rung, clock.pending) == ([], [])


def test_a_cancelled_one_keeps_no_timer(clock: Any, alarm: LazyAlarm, rung: list[str]) -> None:
    """It can be set again."""
    alarm.set(10.0)
    alarm.cancel()
    assert clock.pending == []
    alarm.set(20.0)
    clock.advance(20.0)
    assert rung == ["ring"]
