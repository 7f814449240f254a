"""Percentiles are times that were measured, by nearest rank."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.workflows.bench.percentiles import quantile, summary


def test_a_hundred_times() -> None:
    """Where ranks are whole, they are the times of that rank; p99.9 of few times is the greatest."""
    found = summary(list(range(1, 101)))
    assert found is not None
    assert found.values == {"mean": 50.5, "p50": 50, "p90": 90, "p99": 99, "p99.9": 100, "max": 100}


def test_one_time_is_all_of_them() -> None:
    """And of none there is no summary."""
    found = summary([7])
    assert found is not None
    assert set(found.values.values()) == {7}
    assert summary([]) is None
    with pytest.raises(ValueError, match="nothing"):
        quantile([], Fraction(1, 2))


@given(st.lists(st.integers(0, 10**12), min_size=1), st.fractions(0, 1))
def test_a_share_is_not_above_its_quantile(times: list[int], share: Fraction) -> None:
    """The quantile was measured, enough times are at most it, and too few are below it."""
    found = quantile(sorted(times), share)
    assert found in times
    assert Fraction(sum(one <= found for one in times), len(times)) >= share
    assert Fraction(sum(one < found for one in times), len(times)) <= share
