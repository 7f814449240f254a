"""A rate in; when each request of an open loop is due, out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from chainctl.workflows.bench.plan import POISSON


def due_times(rate: float, arrivals: str, random: Random) -> Iterator[float]:
    """Yield seconds from the start, without end: evenly, or as many callers that know nothing of each other.

    Those make a Poisson process: the times between two requests are exponential (Kingman, "Poisson
    Processes", 1993). It has bursts, as traffic has, so it finds queues that even arrivals hide.
    """
    if arrivals == POISSON:
        at_sec = 0.0
        while True:
            at_sec += random.expovariate(rate)
            yield at_sec
    number = 0
    while True:
        yield number / rate
        number += 1
