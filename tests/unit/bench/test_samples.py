"""Medians, and ratios of pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.samples import Samples, Spread


def noted(**values: list[float]) -> Samples:
    """Return samples of one workload, by peer."""
    samples = Samples()
    for peer, given_values in values.items():
        for value in given_values:
            samples.add("hop1", peer, value)
    return samples


def test_a_spread_has_median_least_and_largest() -> None:
    """The order of the rounds does not matter."""
    assert Spread.of([3.0, 1.0, 9.0]) == Spread(3.0, 1.0, 9.0)


def test_ratios_are_taken_round_by_round() -> None:
    """A slow round is slow for both: its ratio is that of the others."""
    samples = noted(chainctl=[2.0, 20.0, 2.0], floor=[1.0, 10.0, 1.0])
    assert samples.ratio("hop1", "chainctl", ("hop1", "floor")) == Spread(2.0, 2.0, 2.0)


def test_a_failed_round_has_no_ratio_and_keeps_the_pairs_together() -> None:
    """The rounds after a failed one are compared with their own pairs."""
    samples = noted(floor=[1.0, 10.0])
    samples.fail("hop1", "chainctl", "it broke")
    samples.add("hop1", "chainctl", 30.0)
    assert samples.ratio("hop1", "chainctl", ("hop1", "floor")) == Spread(3.0, 3.0, 3.0)
    assert samples.errors == {("hop1", "chainctl"): "it broke"}


def test_what_was_not_measured_has_neither_spread_nor_ratio() -> None:
    """Nothing is guessed."""
    samples = noted(floor=[1.0])
    assert samples.spread("hop1", "chainctl") is None
    assert samples.ratio("hop1", "chainctl", ("hop1", "floor")) is None


def test_peers_come_in_the_order_in_which_they_were_measured() -> None:
    """Tables have the same order in every run."""
    assert noted(floor=[1.0], chainctl=[1.0], other=[1.0]).peers() == ["floor", "chainctl", "other"]


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20), st.floats(0.01, 100))
def test_a_constant_factor_is_found_whatever_the_noise(values: list[float], factor: float) -> None:
    """Noise that both meet falls out."""
    samples = noted(ours=[value * factor for value in values], theirs=values)
    ratio = samples.ratio("hop1", "ours", ("hop1", "theirs"))
    assert ratio is not None
    assert ratio.median == pytest.approx(factor)
