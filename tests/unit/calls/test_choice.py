"""Which replica a call goes to: by what is expected of each, near ones first, at one cost for any number."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.calls.address import Address
from chainctl.calls.choice import MOST_COMPARED, chosen, expected, paced
from chainctl.calls.outliers import Record, eject_outliers
from chainctl.calls.subset import LEAST_SPOKEN_WITH, ranked


@dataclass
class One:
    """A replica as the choice sees it."""

    under_way: int = 0
    pace_sec: float = 0.0
    zone: str = ""


ONES = st.builds(One, st.integers(0, 50), st.floats(0, 10), st.sampled_from(["", "a", "b"]))


@given(st.lists(ONES, min_size=1, max_size=MOST_COMPARED), st.integers(0, 10**6))
def test_none_is_chosen_to_which_another_is_to_be_preferred_by_far(ones: list[One], turn: int) -> None:
    """What the call is expected to take is at most five milliseconds more than the least."""
    best = chosen(ones, turn)
    seconds = expected(ones)
    assert seconds[next(n for n, one in enumerate(ones) if one is best)] <= min(seconds) + 0.005


def test_what_is_expected_grows_with_the_calls_and_the_pace() -> None:
    """Of one that has answered nothing yet, what is usual among the others."""
    assert expected([One(0, 0.09), One(2, 0.19), One(1, 0.0)]) == pytest.approx([0.1, 0.6, 0.3])
    assert expected([One(0), One(1)]) == pytest.approx([0.01, 0.02])


@given(st.integers(2, MOST_COMPARED), st.integers(0, 100))
def test_those_that_are_alike_come_in_turn(count: int, turn: int) -> None:
    """Each of them once in as many calls."""
    ones = [One() for _ in range(count)]
    told = Counter(id(chosen(ones, turn + n)) for n in range(count))
    assert set(told.values()) == {1}
    assert len(told) == count


def test_of_very_many_only_some_are_compared() -> None:
    """And the busy ones are still avoided."""
    ones = [One(under_way=9 if n % 2 else 0, pace_sec=0.1) for n in range(500)]
    assert sum(chosen(ones, turn).under_way > 0 for turn in range(300)) < 30


def test_a_call_stays_in_its_zone_while_that_is_not_overloaded() -> None:
    """It leaves when it is expected to take twice as long there; who has no zone is as near as any."""
    near, far, somewhere = One(1, 0.1, "a"), One(0, 0.12, "b"), One(0, 0.15, "")
    assert chosen([near, far], 0, "a") is near
    near.under_way = 3
    assert chosen([near, far], 0, "a") is far
    assert chosen([near, far], 0, "") is far
    assert chosen([far, somewhere], 0, "a") is somewhere


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=50), st.integers(1, 20))
def test_a_pace_lies_between_what_was_seen(seen: list[float], place: int) -> None:
    """It is the time of a call by the place that it had."""
    pace = 0.0
    for seconds in seen:
        pace = paced(pace, seconds * place, place)
    assert min(seen) * 0.999 <= pace <= max(seen) * 1.001


def ended(calls: int, failures: int) -> Record:
    record = Record()
    for n in range(calls):
        record.note(failed=n < failures)
    return record


def test_one_that_fails_far_more_than_others_is_left_alone_for_a_while() -> None:
    """For longer the next time, and as at first again when it has done well."""
    bad, *good = [ended(20, 20), ended(20, 1), ended(20, 0)]
    assert eject_outliers([bad, *good], 100.0)
    assert (bad.ejected_until, [one.ejected_until for one in good]) == (105.0, [0.0, 0.0])
    for _ in range(20):
        bad.note(failed=True)
    assert not eject_outliers([bad, *good], 104.0)
    assert eject_outliers([bad, *good], 106.0)
    assert bad.ejected_until == 116.0
    for _ in range(20):
        bad.note(failed=False)
    assert not eject_outliers([bad, *good], 117.0)
    assert bad.times == 0


def test_what_fails_everywhere_ejects_none() -> None:
    """It is the call then, and not the replica; few calls prove nothing either."""
    assert not eject_outliers([ended(20, 18), ended(20, 15), ended(20, 17)], 1.0)
    assert not eject_outliers([ended(9, 9), ended(20, 0)], 1.0)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12), st.integers(1, 5))
def test_never_more_than_half_are_ejected(counts: list[tuple[int, int]], looks: int) -> None:
    """However they fail, and however often it is looked."""
    records = [ended(calls, failures) for calls, failures in counts]
    for look in range(looks):
        eject_outliers(records, float(look))
        for record, (calls, failures) in zip(records, counts, strict=True):
            for n in range(calls):
                record.note(failed=n < failures)
        assert sum(record.ejected_until > look for record in records) <= len(records) // 2


def addresses(count: int) -> list[Address]:
    return [Address(f"10.0.{n // 250}.{n % 250}", 8080) for n in range(count)]


def test_few_replicas_are_spoken_with_all() -> None:
    """In the order in which they are found, for every caller."""
    few = addresses(LEAST_SPOKEN_WITH)
    assert ranked("a", few) == few


@given(st.integers(LEAST_SPOKEN_WITH + 2, 200), st.randoms(use_true_random=False))
def test_a_replica_that_goes_changes_nothing_for_others(count: int, chance: random.Random) -> None:
    """The order of those that stay is the same, and it does not depend on the order they are found in."""
    many = addresses(count)
    gone = chance.choice(many)
    shuffled = chance.sample(many, count)
    assert ranked("a", shuffled) == ranked("a", many)
    assert ranked("a", [one for one in many if one != gone]) == [o for o in ranked("a", many) if o != gone]


def test_callers_speak_with_others() -> None:
    """Those of many callers together are all, each about as often."""
    many = addresses(200)
    told = Counter(one for n in range(200) for one in ranked(f"caller-{n}", many)[:LEAST_SPOKEN_WITH])
    assert len(told) == 200
    assert max(told.values()) < 2 * LEAST_SPOKEN_WITH
