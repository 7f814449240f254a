"""Replicas that take calls in; the one that is likely to answer a call first out. Pure.

Each is expected to take its pace, the time per call that is under way there, once more for each call
that it has: least expected latency, after the peak EWMA balancer of Finagle (https://twitter.github.io/finagle,
"Clients", and M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001, for
not looking at all where there are many). Each caller knows its own calls only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

MOST_COMPARED = 16
"""Of more replicas than this some are drawn, so that a call costs the same however many there are."""
_DRAWN = 8
_FLOOR_SEC = 0.01
_ALIKE_SEC = 0.002
_ABROAD = 2.0
_WEIGHT = 0.1


class Choosable(Protocol):
    """What is known of a replica: calls under way, seconds per call, and its zone, "" where it says none."""

    under_way: int
    pace_sec: float
    zone: str


ChoosableT = TypeVar("ChoosableT", bound=Choosable)


def chosen(replicas: Sequence[ChoosableT], turn: int, zone: str = "") -> ChoosableT:
    """Return the one that is expected to answer first; of those that differ by less than can be known the next in turn.

    One in another zone has to be twice as good: so calls stay in the caller's own while it is not overloaded.
    """
    count = len(replicas)
    if count == 1:
        return replicas[0]
    if count > MOST_COMPARED:
        replicas, count = random.sample(replicas, _DRAWN), _DRAWN
    costs = expected(replicas)
    if zone:
        costs = [
            cost if one.zone == zone or not one.zone else cost * _ABROAD
            for one, cost in zip(replicas, costs)  # noqa: B905  # as long as each other
        ]
    bound = min(costs) + _ALIKE_SEC
    start = turn % count
    for place in range(start - count, start):
        if costs[place] <= bound:
            return replicas[place]
    raise AssertionError("the cheapest is within the bound")


def expected(replicas: Sequence[Choosable]) -> list[float]:
    """Return the seconds that a call is expected to take at each; one that is not known yet is as the others are."""
    paces = [one.pace_sec for one in replicas]
    if not all(paces):
        usual = sum(paces) / (sum(map(bool, paces)) or 1)
        paces = [pace or usual for pace in paces]
    return [
        (one.under_way + 1) * (pace + _FLOOR_SEC)
        for one, pace in zip(replicas, paces)  # noqa: B905  # as long as each other
    ]


def paced(pace_sec: float, took_sec: float, place: int) -> float:
    """Return the pace after a call that took some time, begun as the `place`-th that was under way."""
    sample = took_sec / place
    return sample if pace_sec == 0 else pace_sec + _WEIGHT * (sample - pace_sec)
