"""When requests of an open loop are due."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

from chainctl.workflows.bench.arrivals import due_times
from chainctl.workflows.bench.plan import CONSTANT, POISSON


def test_constant_arrivals_are_even() -> None:
    """The first is due at once; nothing adds up errors."""
    assert list(islice(due_times(4, CONSTANT, Random(0)), 5)) == [0, 0.25, 0.5, 0.75, 1.0]
    assert next(islice(due_times(3, CONSTANT, Random(0)), 3_000, None)) == 1000.0


def test_poisson_arrivals_have_the_rate_and_its_spread() -> None:
    """Times between two requests are exponential: their mean is 1/rate, and so is their deviation."""
    times = list(islice(due_times(100, POISSON, Random(7)), 20_000))
    gaps = [b - a for a, b in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert times == sorted(times)
    assert round(mean, 3) == round(deviation, 3) == 0.01
