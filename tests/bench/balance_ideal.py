"""Arrivals and work of calls in; what they would take where one balancer knew all of it out. Pure.

The balancer sees the calls under way at every replica and knows how fast each is: it joins the one
with the least expected wait ("join the shortest queue", weighted by speed).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call: when it comes, and its work; a replica takes its own seconds for each unit of work.

    `slip_sec` is what it took longer than that where it was made: a busy machine wakes processes late.
    """

    at_sec: float
    work: float
    slip_sec: float = 0.0


def arrivals(seed: int, paces: Sequence[float], load: float, seconds: float) -> list[Arrival]:
    """Return Poisson arrivals at a part of what replicas of these paces can do; works are 0.5 to 1.5, 1 in the mean."""
    chance = random.Random(seed)
    rate = load * sum(1 / pace for pace in paces)
    made, at = [], 0.0
    while (at := at + chance.expovariate(rate)) < seconds:
        made.append(Arrival(at, chance.uniform(0.5, 1.5)))
    return made


def ideal_sec(calls: Sequence[Arrival], paces: Sequence[float]) -> list[float]:
    """Return how long each call takes, where each replica runs one at a time."""
    free, under_way = [0.0] * len(paces), [0] * len(paces)
    ends: list[tuple[float, int]] = []
    took = []
    for call in calls:
        while ends and ends[0][0] <= call.at_sec:
            under_way[heapq.heappop(ends)[1]] -= 1
        best = min(range(len(paces)), key=lambda n: (under_way[n] + 1) * paces[n])
        free[best] = max(free[best], call.at_sec) + call.work * paces[best] + call.slip_sec
        under_way[best] += 1
        heapq.heappush(ends, (free[best], best))
        took.append(free[best] - call.at_sec)
    return took


def p99(seconds: Sequence[float]) -> float:
    """Return the time that one call of a hundred exceeds."""
    return sorted(seconds)[int(len(seconds) * 0.99)]
