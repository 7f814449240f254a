"""Verdicts over bounds."""

from __future__ import annotations

import pytest

from tests.bench.samples import Samples
from tests.bench.targets import BOUNDS, FLOOR, OURS, Bound
from tests.bench.workloads import ALL


def samples_of(ours: float, theirs: float) -> Samples:
    """Return one round of the one-hop workload."""
    samples = Samples()
    samples.add("hop1", OURS, ours)
    samples.add("hop1", FLOOR, theirs)
    return samples


@pytest.mark.parametrize(("ours", "verdict"), [(2.4, "pass"), (2.5, "pass"), (2.6, "fail")])
def test_an_upper_bound_of_a_ratio(ours: float, verdict: str) -> None:
    """The bound itself is met."""
    assert Bound("hop1", FLOOR, "<=", 2.5).verdict(samples_of(ours, 1.0)) == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(0.5, "pass"), (0.3, "fail")])
def test_a_lower_bound_of_a_ratio(ours: float, verdict: str) -> None:
    """Throughput has to be at least a share."""
    assert Bound("hop1", FLOOR, ">=", 0.4).verdict(samples_of(ours, 1.0)) == verdict


def test_a_bound_without_a_peer_is_of_the_value() -> None:
    """Some bounds are absolute."""
    assert Bound("hop1", "", "<=", 5).verdict(samples_of(4.0, 1.0)) == "pass"


def test_what_was_not_measured_is_not_passed() -> None:
    """A peer that did not run makes no verdict."""
    assert Bound("hop1", "nobody", "<=", 100).verdict(samples_of(1.0, 1.0)) == "not measured"


def test_all_bounds_are_of_known_workloads() -> None:
    """Each row of the table can be measured."""
    assert {bound.workload for bound in BOUNDS} <= set(ALL)
    assert {bound.base for bound in BOUNDS if bound.base} <= set(ALL)
