"""Who calls a stand-in, and when all of them know that they should turn to others. Time is a number here."""

from __future__ import annotations

from chainctl.adapters.intercept.callers import TIMES, Callers


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_asks_has_to_ask_again() -> None:
    """As often as it takes to be believed, since the mark."""
    callers = Callers(Time())
    with callers.connected("one") as call:
        callers.asked(call, is_told=False)
        callers.asked(call, is_told=False)
        assert callers.have_asked
        callers.mark()
        seen = []
        for _ in range(TIMES):
            seen.append(callers.have_asked)
            callers.asked(call, is_told=False)
    assert seen == [False] * TIMES
    assert callers.have_asked


def test_who_is_silent_for_long_is_not_waited_for() -> None:
    """It ended without a word, or has nothing to send."""
    time = Time()
    callers = Callers(time)
    with callers.connected("one") as call:
        callers.asked(call, is_told=False)
    callers.mark()
    assert not callers.have_asked
    time.now += 6
    assert callers.have_asked


def test_a_connection_on_which_its_caller_may_write_is_not_given_up() -> None:
    """However long it was idle; one that was told, on it or long ago on another, is."""
    time = Time()
    callers = Callers(time)
    with callers.connected("one") as idle, callers.connected("one") as asking:
        with callers.answering(idle):
            pass
        callers.mark()
        time.now += 60
        assert not callers.have_turned
        callers.asked(asking, is_told=True)
        callers.asked(asking, is_told=True)
        assert not callers.have_turned
        time.now += 2
        assert callers.have_turned


def test_it_is_not_over_while_a_request_is_under_way() -> None:
    """Nor right after it: the next may be on its way."""
    time = Time()
    callers = Callers(time)
    with callers.connected("one") as call:
        time.now += 60
        with callers.answering(call):
            time.now += 60
            assert not callers.have_turned
    assert not callers.have_turned
    time.now += 1
    assert callers.have_turned
