"""The utilisation law and Little's law, with numbers that can be done in the head."""

from __future__ import annotations

import pytest

from chainctl.workflows.bench.capacity import CPU, PLACES, Advice, Means, Usage, advise, usages
from chainctl.workflows.bench.hops import Hop

MS = 1_000_000


def hop(name: str, place_ms: float, per_request: float = 1.0, caller: str | None = None) -> Hop:
    """A hop of which only what capacity needs is known."""
    return Hop(name, caller, per_request, place_ms * MS, {}, place_ms * MS)


def test_the_utilisation_law() -> None:
    """Busiest first: 10/s of 2 calls each, 50 ms long, keep half of 2 × 1 places busy."""
    hops = [hop("Top", 20), hop("Model", 50, per_request=2), hop("Model", 60, caller="Top")]
    means = {"Model": Means(2, 1, 0.010), "Top": Means(1, 4, 0.001)}
    model, top = usages(hops, means, 10)
    assert (model.chainlet, model.rate, model.limits) == ("Model", 20, {PLACES: 0.5, CPU: 0.1})
    assert (model.tightest, model.share) == (PLACES, 0.5)
    assert (top.chainlet, top.limits) == ("Top", {PLACES: 0.05, CPU: 0.01})


def test_what_is_not_known_limits_nothing() -> None:
    """As many calls as come, and CPU time that nobody told."""
    (usage,) = usages([hop("A", 20)], {}, 10)
    assert (usage.limits, usage.tightest, usage.share) == ({}, "", 0)
    assert advise(usage, 2).is_change is False


def usage(place_sec: float, means: Means, rate: float = 10) -> Usage:
    """A chainlet that is called 10 times per second."""
    return Usage("A", rate, place_sec, means, {})


def needs(advice: Advice) -> tuple[int, int, int, int]:
    """Places, replicas, concurrency, and replicas with the concurrency that there is."""
    return advice.places, advice.replicas, advice.concurrency, advice.replicas_alone


def test_a_chainlet_that_waits_gets_more_calls_at_once() -> None:
    """20/s of 0.35 s are 7 at once; 10 places have 70% of them busy."""
    advice = advise(usage(0.35, Means(1, 2, 0.001)), 2)
    assert (advice.rate, advice.at_once, advice.cores) == (20, 7, 0.02)
    assert needs(advice) == (10, 1, 10, 5)
    assert advice.is_change


def test_a_chainlet_that_computes_gets_replicas() -> None:
    """More calls at once would only share the core: 20/s of 70 ms of CPU are 1.4 cores of 2."""
    advice = advise(usage(0.07, Means(1, 1, 0.07)), 2)
    assert needs(advice) == (2, 2, 1, 2)
    assert advice.by_cpu == 2


def test_a_chainlet_without_a_bound_gets_replicas_for_its_cpu() -> None:
    """What it can do at once is not the question."""
    assert needs(advise(usage(1.0, Means(1, 0, 0.07)), 4)) == (58, 4, 0, 4)
    assert not advise(usage(1.0, Means(1, 0, 0.01)), 4).is_change


def test_what_is_enough_stays() -> None:
    """The concurrency that there is is never lowered; replicas that idle are told."""
    assert not advise(usage(0.01, Means(1, 8, 0.001)), 2).is_change
    assert needs(advise(usage(0.01, Means(3, 8, 0.001)), 2)) == (1, 1, 8, 1)


@pytest.mark.parametrize(("place_sec", "places"), [(0.7, 10), (0.07, 1), (0.0, 1), (0.71, 11), (0.21, 3)])
def test_the_last_bit_of_a_float_asks_for_no_more(place_sec: float, places: int) -> None:
    """Seven of ten are 0.7."""
    assert advise(usage(place_sec, Means(1, 1)), 1).places == places
